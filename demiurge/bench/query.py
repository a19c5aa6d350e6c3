"""Nearest units against comparing all with torch, and the path search against the audio it makes
and a plain loop.
"""

import tempfile
import time
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import numpy as np
import torch

from audio.read import Resampler, open_mono
from audio.scan import find_audio
from db.analyse import Description, describe_signal
from db.build import configure
from db.database import Database
from db.settings import DescriptorSettings
from db.writer import SourceRow, Writer, writing
from demiurge.bench import SAMPLE_RATE, Result, medians
from query.index import UnitIndex
from query.options import PathOptions
from query.path import UnitPath, find_path
from query.space import Space

UNITS = 600_000
UNITS_FULL = 1_000_000
STEPS = 1000
K = 64
PATH_STEPS = 2500
PATH_STEPS_FULL = 10_000
SETTINGS = DescriptorSettings()
RATES = (
    1.0,
    1.03,
    0.97,
    1.06,
    0.94,
    1.09,
    0.91,
)  # a corpus that is too small is heard again faster and slower,
OFFSETS = (0, 512, 256, 768)  # and with its frames elsewhere
COMPARED = 100  # steps that torch compares at a time: all at once would need 4 GB per million units
MEASURED_EVERY = 16  # steps of the plain loop


def bench_query(audio: Path, repeats: int, full: bool) -> list[Result]:
    """One file is what is looked for; the others, over and over until there are enough units, are
    what is found.
    """
    names = find_audio(audio)
    longest = max(names, key=lambda name: (audio / name).stat().st_size)
    target = _describe(audio / longest, 1.0, 0).units
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "db"
        make_database(
            path,
            audio,
            [name for name in names if name != longest] or names,
            UNITS_FULL if full else UNITS,
        )
        database = Database(path)
        return [
            _search(database, _repeated(target, STEPS), repeats),
            _path(database, _repeated(target, PATH_STEPS_FULL if full else PATH_STEPS), repeats),
        ]


def _repeated(sequence: np.ndarray, steps: int) -> np.ndarray:
    return np.resize(sequence, (steps, sequence.shape[1]))


def _describe(path: Path, rate: float, offset: int) -> Description:
    """A file's description, as if it had been played that much faster and began that many samples
    later.
    """
    with open_mono(path) as (info, blocks):
        resampled = Resampler(round(info.sample_rate * rate), SETTINGS.sample_rate).resample(blocks)
        description = describe_signal(_without_first(resampled, offset), SETTINGS)
    assert description is not None, path
    return description


def _without_first(blocks: Iterator[np.ndarray], offset: int) -> Iterator[np.ndarray]:
    for block in blocks:
        yield block[offset:]
        offset = max(offset - len(block), 0)


def make_database(path: Path, audio: Path, names: list[str], n_units: int) -> None:
    """A database of about `n_units` units of real sound, written as a build writes."""
    with writing(path, create=True) as connection:
        writer = Writer(connection, path, configure(connection, path, audio, SETTINGS, moved=False))
        made = 0
        for number, (rate, offset, name) in enumerate(product(RATES, OFFSETS, names)):
            description = _describe(audio / name, rate, offset)
            source = SourceRow(
                f"{rate}-{offset}/{name}",
                f"{number:032x}",
                1,
                1,
                SAMPLE_RATE,
                1,
                description.n_samples,
            )
            writer.add(source, description)
            made += len(description.units)
            if made >= n_units:
                break
        writer.finish()


def _search(database: Database, sequence: np.ndarray, repeats: int) -> Result:
    started = time.perf_counter()
    index = UnitIndex(Space(database))
    index.search(sequence[:1], k=K)
    built = time.perf_counter() - started
    vectors, targets = (
        torch.from_numpy(index.space.vectors(rows)) for rows in (database.descriptors, sequence)
    )
    nearest: list[np.ndarray] = []

    def reference() -> None:
        nearest.clear()
        for start in range(0, len(targets), COMPARED):
            distances = torch.cdist(targets[start : start + COMPARED], vectors)
            nearest.append(distances.topk(K, largest=False).indices.numpy())

    seconds, baseline = medians(lambda: index.search(sequence, k=K), reference, repeats)
    exact = np.concatenate(nearest)
    facts: dict[str, float | str] = {"index": index.kind, "seconds to build it, once": built}
    for kind in ("ivf", "pq"):
        found = UnitIndex(Space(database), kind=kind).search(sequence, k=K).positions
        facts[f"{kind}: recall@1"] = _recall(found, exact, 1)
        facts[f"{kind}: recall@32"] = _recall(found, exact, 32)
    return Result(
        "query search",
        f"{len(sequence)} steps, k = {K}, {len(index)} units",
        "torch.cdist + topk, all units",
        seconds,
        baseline,
        0,
        repeats,
        facts,
    )


def _recall(found: np.ndarray, exact: np.ndarray, k: int) -> float:
    """Share of the k nearest that are among the K found."""
    return float(
        np.mean([np.isin(row[:k], among).mean() for row, among in zip(exact, found, strict=True)])
    )


def _path(database: Database, sequence: np.ndarray, repeats: int) -> Result:
    index = UnitIndex(Space(database), min_samples=SETTINGS.hop_length)
    matches = index.search(sequence, k=K)
    index.search = lambda sequence, *, k: matches  # type: ignore[method-assign]  # the path alone is measured
    lasting = np.full(len(sequence), SETTINGS.hop_length)
    found: dict[float, UnitPath] = {}

    def ours(continuity: float = PathOptions.continuity) -> None:
        found[continuity] = find_path(
            index, sequence, PathOptions(k=K, continuity=continuity), step_samples=lasting
        )

    positions = matches.positions
    targets = index.space.vectors(sequence)
    measured = range(MEASURED_EVERY, len(sequence), MEASURED_EVERY)

    def plain_loop() -> None:
        for step in measured:
            before = index.space.unit_vectors(positions[step - 1] + 1)
            here = index.space.unit_vectors(positions[step])
            cost = np.zeros(K)
            for unit in here:
                join = np.sqrt(((before - unit) ** 2).sum(axis=1))
                (np.linalg.norm(unit - targets[step]) + cost + PathOptions.continuity * join).min()

    positions = np.minimum(positions, len(database.units) - 2)
    seconds, baseline = medians(ours, plain_loop, repeats)
    ours(0.0)
    nearest = found[0.0]
    default = found[PathOptions.continuity]
    audio_seconds = int(lasting.sum()) / database.sample_rate
    return Result(
        "query path",
        f"{len(sequence)} steps of {K} candidates, from {len(database.units)} units",
        f"Viterbi search with one candidate at a time in NumPy (every {MEASURED_EVERY}th step"
        " measured)",
        seconds,
        baseline * len(sequence) / len(measured),
        audio_seconds,
        repeats,
        {
            "share of the audio it makes, %": 100 * seconds / audio_seconds,
            "target cost over the nearest units', %": (
                100 * float(default.distances.sum() / nearest.distances.sum() - 1)
            ),
            "joins, % of steps": 100 * _joins(default),
            "joins of the nearest units, %": 100 * _joins(nearest),
        },
    )


def _joins(path: UnitPath) -> float:
    return float((np.diff(path.positions) != 1).mean())
