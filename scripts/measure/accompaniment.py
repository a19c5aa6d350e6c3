"""Measure what a forecaster knows from a track that it goes with: likelihoods of unseen pieces.

    python scripts/measure/accompaniment.py stems.db --with band.wav --minutes 2

Each source that has a track is left out in turn, or each of some FOLDS. A forecaster is trained on
the others with theirs, in pieces of half a minute of which a tenth decides when to stop. Then it
says how likely the source left out is, given its own track, that of each other source, its own half
a minute late, and nothing. With --pieces, every fifth piece of all sources is left out in turn.

With the head `contrast` it is the likelihood of choosing the steps that come 1, 4 and 16 steps
later among those of an excerpt.

gain      nats per step that its own track makes the source likelier than the other does
interval  95 %, by resampling the excerpts (of 64 steps) of each source, and the sources
"""

import argparse
import tempfile
from dataclasses import replace
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

PIECE_SECONDS = 30.0
LATE_SECONDS = 30.0
EXCERPT = 64  # steps
RESAMPLES = 10_000
PIECES = 5  # of which one is left out
GIVEN = ("own", "another", "own, late", "none")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("database", type=Path)
    parser.add_argument("--with", dest="pattern", required=True)
    parser.add_argument("--minutes", type=float, default=2.0, help="of each training")
    parser.add_argument("--folds", type=int, help="by default one for each source")
    parser.add_argument("--pieces", action="store_true", help="leave out pieces, not sources")
    parser.add_argument("--head", choices=("contrast", "mixture"), default="contrast")
    parser.add_argument("--width", type=int, default=96, help="of the LSTM")
    arguments = parser.parse_args()
    database = Database(arguments.database)
    sequences, tracks = pair_tracks(database, arguments.pattern)
    pairs = [(name, rows) for name, rows in sequences if name in tracks.frames]
    # a small one, since the pairs are few
    entry = ARCHITECTURES["lstm"]
    sizes = replace(entry.sizes, hidden_size=arguments.width, n_layers=1)
    ARCHITECTURES["lstm"] = replace(entry, sizes=sizes)
    n_folds = PIECES if arguments.pieces else arguments.folds or len(pairs)
    found: dict[str, list[dict[str, np.ndarray]]] = {name: [] for name, _ in pairs}
    for fold in range(n_folds):
        left_out = pairs if arguments.pieces else pairs[fold::n_folds]
        others = pairs if arguments.pieces else [pair for pair in pairs if pair not in left_out]
        piece = fold if arguments.pieces else None
        pieces = cut_pieces(others, tracks, database.settings, without=piece)
        model, epochs = train(*pieces, database, arguments.head, arguments.minutes)
        print(f"fold {fold + 1}: epoch {epochs}", flush=True)
        for name, rows in left_out:
            found[name].append(measure(model, name, rows, tracks, only=piece))
    print(f"\n| left out | {' | '.join(GIVEN)} |\n|{'---|' * (len(GIVEN) + 1)}")
    losses = {
        name: {given: np.concatenate([part[given] for part in parts]) for given in GIVEN}
        for name, parts in found.items()
    }
    for name, of_source in losses.items():
        print(f"| {name} | {' | '.join(f'{of_source[given].mean():.3f}' for given in GIVEN)} |")
    print("\n| instead of its own track | gain | interval |\n|---|---|---|")
    for given in GIVEN[1:]:
        gains = [of_source[given] - of_source["own"] for of_source in losses.values()]
        low, high = interval(gains)
        mean = np.mean([gain.mean() for gain in gains])
        print(f"| {given} | {mean:.3f} | {low:.3f} to {high:.3f} |")


def train(
    pieces: NamedSequences, tracks: Tracks, database: Database, head: str, minutes: float
) -> tuple[Forecaster, str]:
    """Return a forecaster of some pieces, and how many epochs it was trained for."""
    options = ForecasterOptions(
        head=head, minutes=minutes, epochs=1000, patience=12, window=EXCERPT, batch_size=8
    )
    with tempfile.TemporaryDirectory() as folder:
        summary = train_forecaster(
            pieces,
            Path(folder) / "m",
            settings=database.settings,
            normaliser=database.normaliser,
            options=options,
            tracks=tracks,
        )
        return Forecaster.load(Path(folder) / "m"), f"{summary.best_epoch} of {summary.epochs}"


def cut_pieces(
    pairs: NamedSequences, tracks: Tracks, settings: DescriptorSettings, *, without: int | None
) -> tuple[NamedSequences, Tracks]:
    """Cut sources and their tracks into pieces, without every fifth from one on, if it is given."""
    pieces = []
    frames = {}
    for name, rows in pairs:
        starts = step_lengths(rows, settings).cumsum() - step_lengths(rows, settings)
        piece = pieces_of(rows, settings)
        for number in range(piece[-1] + 1):
            steps = np.flatnonzero(piece == number)
            if len(steps) > EXCERPT and (without is None or number % PIECES != without):
                label = f"{name}#{number}"
                pieces.append((label, rows[steps]))
                first = round(starts[steps[0]] / settings.hop_length)
                frames[label] = tracks.frames[name][first:]
    return pieces, Tracks(tracks.pattern, frames)


def pieces_of(rows: np.ndarray, settings: DescriptorSettings) -> np.ndarray:
    """Return the piece that each step begins in, int64."""
    lengths = step_lengths(rows, settings)
    return ((lengths.cumsum() - lengths) / settings.sample_rate // PIECE_SECONDS).astype(np.int64)


def measure(
    model: Forecaster, name: str, rows: np.ndarray, tracks: Tracks, *, only: int | None
) -> dict[str, np.ndarray]:
    """Return the losses of the excerpts of a source, in nats per step, given each track."""
    settings = model.config.settings
    ends = step_lengths(rows, settings).cumsum()

    def losses(frames: np.ndarray | None, late: int = 0) -> np.ndarray:
        if frames is None:
            return excerpt_losses(model, rows, None)
        return excerpt_losses(model, rows, Track(model, frames).rows(ends - late))

    others = [frames for other, frames in tracks.frames.items() if other != name]
    late = round(LATE_SECONDS * settings.sample_rate)
    found = {
        "own": losses(tracks.frames[name]),
        "another": np.mean([losses(frames) for frames in others], axis=0),
        "own, late": losses(tracks.frames[name], late),
        "none": losses(None),
    }
    if only is not None:
        first = pieces_of(rows, settings)[:-EXCERPT:EXCERPT][: len(found["own"])]
        found = {given: one[first % PIECES == only] for given, one in found.items()}
    return found


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
