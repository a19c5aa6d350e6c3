"""Measure what a forecaster knows from a track that it goes with: likelihoods of unseen pieces.

    python scripts/measure/accompaniment.py stems.db --with band.wav --minutes 2

Each source that has a track is left out in turn. A forecaster is trained on the others with theirs,
in excerpts of a minute of which a tenth decides when to stop. Then it says how likely the source is
left out, given its own track, that of each other source, its own half a minute late, and nothing.

gain      nats per step that its own track makes the source likelier than the other does
interval  95 %, by resampling the excerpts (of 64 steps) of each source, and the sources
"""

import argparse
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from db.database import Database
from db.descriptors.derived import static_columns
from db.settings import DescriptorSettings
from db.units import step_lengths
from demiurge.tracks import pair_tracks
from sequencer.averages import slow_averages
from sequencer.forecaster import Forecaster
from sequencer.linear import ORDER
from sequencer.registry import ARCHITECTURES
from sequencer.split import NamedSequences
from sequencer.track import Track
from sequencer.tracks import Tracks
from sequencer.train import ForecasterOptions, train_forecaster

PIECE_SECONDS = 60.0
LATE_SECONDS = 30.0
EXCERPT = 64  # steps
RESAMPLES = 10_000
INSTEAD = {"another source's": "others", "its own, late": "late", "none": "without"}


@dataclass(frozen=True)
class Losses:
    """Losses of the excerpts of a source, in nats per step, given each track: (excerpts,)."""

    own: np.ndarray
    others: np.ndarray  # mean over the other tracks
    late: np.ndarray
    without: np.ndarray


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("database", type=Path)
    parser.add_argument("--with", dest="pattern", required=True)
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--width", type=int, default=96, help="of the LSTM")
    arguments = parser.parse_args()
    database = Database(arguments.database)
    sequences, tracks = pair_tracks(database, arguments.pattern)
    pairs = [(name, rows) for name, rows in sequences if name in tracks.frames]
    # a small one, since the pairs are few
    entry = ARCHITECTURES["lstm"]
    sizes = replace(entry.sizes, hidden_size=arguments.width, n_layers=1)
    ARCHITECTURES["lstm"] = replace(entry, sizes=sizes)
    options = ForecasterOptions(minutes=arguments.minutes)
    found = []
    print(
        "| left out | epoch | own | other | late | without |\n|---|---|---|---|---|---|", flush=True
    )
    for name, rows in pairs:
        with tempfile.TemporaryDirectory() as folder:
            others = [pair for pair in pairs if pair[0] != name]
            cut, of_cut = cut_pieces(others, tracks, database.settings)
            summary = train_forecaster(
                cut,
                Path(folder) / "m",
                settings=database.settings,
                normaliser=database.normaliser,
                options=options,
                tracks=of_cut,
            )
            model = Forecaster.load(Path(folder) / "m")
        losses = measure(model, name, rows, tracks)
        found.append(losses)
        parts = (losses.own, losses.others, losses.late, losses.without)
        figures = " | ".join(f"{part.mean():.3f}" for part in parts)
        print(f"| {name} | {summary.best_epoch} of {summary.epochs} | {figures} |", flush=True)
    print("\n| instead of its own track | gain | interval |\n|---|---|---|")
    for label, other in INSTEAD.items():
        gains = [getattr(losses, other) - losses.own for losses in found]
        low, high = interval(gains)
        mean = np.mean([gain.mean() for gain in gains])
        print(f"| {label} | {mean:.3f} | {low:.3f} to {high:.3f} |")


def cut_pieces(
    pairs: NamedSequences, tracks: Tracks, settings: DescriptorSettings
) -> tuple[NamedSequences, Tracks]:
    """Cut sources and their tracks into pieces of a minute."""
    pieces = []
    frames = {}
    for name, rows in pairs:
        starts = step_lengths(rows, settings).cumsum() - step_lengths(rows, settings)
        piece = (starts / settings.sample_rate // PIECE_SECONDS).astype(np.int64)
        for number in range(piece[-1] + 1):
            steps = np.flatnonzero(piece == number)
            if len(steps) > EXCERPT:
                label = f"{name}#{number}"
                pieces.append((label, rows[steps]))
                first = round(starts[steps[0]] / settings.hop_length)
                frames[label] = tracks.frames[name][first:]
    return pieces, Tracks(tracks.pattern, frames)


def measure(model: Forecaster, name: str, rows: np.ndarray, tracks: Tracks) -> Losses:
    """Measure the losses of one source."""
    settings = model.config.settings
    ends = step_lengths(rows, settings).cumsum()

    def losses(frames: np.ndarray | None, late: int = 0) -> np.ndarray:
        if frames is None:
            return excerpt_losses(model, rows, None)
        return excerpt_losses(model, rows, Track(model, frames).rows(ends - late))

    others = [frames for other, frames in tracks.frames.items() if other != name]
    late = round(LATE_SECONDS * settings.sample_rate)
    return Losses(
        own=losses(tracks.frames[name]),
        others=np.mean([losses(frames) for frames in others], axis=0),
        late=losses(tracks.frames[name], late),
        without=losses(None),
    )


@torch.no_grad()
def excerpt_losses(model: Forecaster, rows: np.ndarray, given: np.ndarray | None) -> np.ndarray:
    """Return the loss per step of each excerpt of a raw sequence, with what came before."""
    columns = static_columns(model.config.settings)
    scores = model.normalise(torch.from_numpy(np.ascontiguousarray(rows[:, columns])))
    averages = slow_averages(scores[:-1].numpy(), model.config.spans, delay=model.head.delay)
    conditions = None if given is None else torch.from_numpy(given[None, :-1])
    hidden = model(scores[None, :-1], torch.from_numpy(averages[None]), 0, conditions)
    losses = []
    for start in range(0, hidden.shape[1] - EXCERPT + 1, EXCERPT):
        said = hidden[:, start : start + EXCERPT]
        heard = scores[None, max(start - ORDER, 0) : start + EXCERPT + 1]
        losses.append(float(model.head.loss(said, heard, torch.ones(1, EXCERPT))) / EXCERPT)
    return np.array(losses)


def interval(gains: list[np.ndarray]) -> tuple[float, float]:
    """Return the 95 % interval of the mean over sources, resampling sources and their excerpts."""
    rng = np.random.default_rng(0)
    means = []
    for _ in range(RESAMPLES):
        chosen = rng.integers(len(gains), size=len(gains))
        means.append(np.mean([rng.choice(gains[i], len(gains[i])).mean() for i in chosen]))
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)


if __name__ == "__main__":
    main()
