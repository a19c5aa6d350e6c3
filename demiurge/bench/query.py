"""Nearest units, against comparing all with torch, and the path search, against a plain loop."""

import tempfile
import time
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import numpy as np
import torch

from audio.read import open_mono
from audio.resample import resample_blocks
from audio.scan import find_audio
from db.analyse import Description, describe_signal
from db.configure import configure
from db.database import Database
from db.settings import DescriptorSettings
from db.write_lock import writing
from db.writer import SourceRow, Writer
from demiurge.bench import SAMPLE_RATE, Result, medians
from demiurge.bench.query_voices import bench_voices
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
# A small corpus is analysed several times, at other speeds and offsets, to get enough units.
RATES = (1.0, 1.03, 0.97, 1.06, 0.94, 1.09, 0.91)
OFFSETS = (0, 512, 256, 768)  # samples
COMPARED = 100  # steps that torch compares at a time; all would need 4 GB per million units
MEASURED_EVERY = 16  # steps of the plain loop


def bench_query(audio: Path, repeats: int, full: bool) -> list[Result]:
    """Search for the longest file in the others, which are varied until there are enough units."""
    names = find_audio(audio)
    longest = max(names, key=lambda name: (audio / name).stat().st_size)
    others = [name for name in names if name != longest] or names
    target = describe_varied(audio / longest, 1.0, 0).units
    path_steps = PATH_STEPS_FULL if full else PATH_STEPS
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "db"
        make_database(path, audio, others, UNITS_FULL if full else UNITS)
        database = Database(path)
        width = target.shape[1]
        return [
            bench_search(database, np.resize(target, (STEPS, width)), repeats),
            bench_path(database, np.resize(target, (path_steps, width)), repeats),
            bench_voices(audio, others, longest, repeats),
        ]


def describe_varied(path: Path, rate: float, offset: int) -> Description:
    """Describe a file played `rate` times as fast, without its first `offset` samples."""
    with open_mono(path) as (info, blocks):
        faster = resample_blocks(blocks, round(info.sample_rate * rate), SETTINGS.sample_rate)
        shifted = without_first(faster, offset)
        description = describe_signal(shifted, SETTINGS)
    assert description is not None, path
    return description


def without_first(blocks: Iterator[np.ndarray], offset: int) -> Iterator[np.ndarray]:
    """Leave out the first `offset` samples."""
    for block in blocks:
        yield block[offset:]
        offset = max(offset - len(block), 0)


def make_database(path: Path, audio: Path, names: list[str], n_units: int) -> None:
    """Make a database of about `n_units` units of real sound, written as a build writes."""
    made = 0
    with writing(path, create=True) as connection:
        writer = Writer(connection, path, configure(connection, path, audio, SETTINGS, moved=False))
        for number, (rate, offset, name) in enumerate(product(RATES, OFFSETS, names)):
            description = describe_varied(audio / name, rate, offset)
            n_samples = description.n_samples
            content_hash = f"{number:032x}"
            source_path = f"{rate}-{offset}/{name}"
            source = SourceRow(source_path, content_hash, 1, 1, SAMPLE_RATE, 1, n_samples)
            writer.add(source, description)
            made += len(description.units)
            if made >= n_units:
                break
        writer.finish()


def bench_search(database: Database, sequence: np.ndarray, repeats: int) -> Result:
    """Find the nearest units; the facts include the recall of approximate indexes."""
    started = time.perf_counter()
    index = UnitIndex(Space(database))
    index.search(sequence[:1], k=K)
    built = time.perf_counter() - started
    vectors = torch.from_numpy(index.space.vectors(database.descriptors))
    targets = torch.from_numpy(index.space.vectors(sequence))
    nearest: list[np.ndarray] = []

    def theirs() -> None:
        nearest.clear()
        for start in range(0, len(targets), COMPARED):
            distances = torch.cdist(targets[start : start + COMPARED], vectors)
            nearest.append(distances.topk(K, largest=False).indices.numpy())

    times = medians(lambda: index.search(sequence, k=K), theirs, repeats)
    exact = np.concatenate(nearest)
    facts: dict[str, float | str] = {"index": index.kind, "seconds to build it, once": built}
    for kind in ("ivf", "pq"):
        found = UnitIndex(Space(database), kind=kind).search(sequence, k=K).positions
        facts[f"{kind}: recall@1"] = recall(found, exact, 1)
        facts[f"{kind}: recall@32"] = recall(found, exact, 32)
    what = f"{len(sequence)} steps, k = {K}, {len(index)} units"
    baseline = "torch.cdist + topk, all units"
    return Result("query search", what, baseline, *times, repeats=repeats, facts=facts)


def recall(found: np.ndarray, exact: np.ndarray, k: int) -> float:
    """Return the share of the k nearest units that are among those found."""
    shares = [np.isin(row[:k], among).mean() for row, among in zip(exact, found, strict=True)]
    return float(np.mean(shares))


def bench_path(database: Database, sequence: np.ndarray, repeats: int) -> Result:
    """Find a path through candidates that were searched beforehand."""
    index = UnitIndex(Space(database), min_samples=SETTINGS.hop_length)
    matches = index.search(sequence, k=K)
    index.search = lambda sequence, *, k: matches  # type: ignore[method-assign]
    step_samples = np.full(len(sequence), SETTINGS.hop_length)
    found: dict[float, UnitPath] = {}

    def ours(continuity: float = PathOptions.continuity) -> None:
        options = PathOptions(k=K, continuity=continuity)
        found[continuity] = find_path(index, sequence, options, step_samples=step_samples)

    measured = range(MEASURED_EVERY, len(sequence), MEASURED_EVERY)
    # The baseline reads the unit after each candidate; the last unit has none.
    candidates = np.minimum(matches.positions, len(database.units) - 2)
    targets = index.space.vectors(sequence)
    seconds, baseline_seconds = medians(
        ours, lambda: search_plainly(index, candidates, targets, measured), repeats
    )
    ours(0.0)
    audio_seconds = int(step_samples.sum()) / database.sample_rate
    facts = compare_paths(found[PathOptions.continuity], found[0.0])
    return Result(
        "query path",
        f"{len(sequence)} steps of {K} candidates, from {len(database.units)} units",
        "Viterbi search with one candidate at a time in NumPy "
        f"(every {MEASURED_EVERY}th step measured)",
        seconds,
        baseline_seconds * len(sequence) / len(measured),
        audio_seconds,
        repeats,
        {"share of the audio it makes, %": 100 * seconds / audio_seconds, **facts},
    )


def search_plainly(
    index: UnitIndex, candidates: np.ndarray, targets: np.ndarray, steps: range
) -> None:
    """Do the arithmetic of the Viterbi search at some steps, one candidate at a time."""
    for step in steps:
        before = index.space.unit_vectors(candidates[step - 1] + 1)
        cost = np.zeros(K)
        for unit in index.space.unit_vectors(candidates[step]):
            join = np.sqrt(((before - unit) ** 2).sum(axis=1))
            (np.linalg.norm(unit - targets[step]) + cost + PathOptions.continuity * join).min()


def compare_paths(path: UnitPath, nearest: UnitPath) -> dict[str, float]:
    """Compare a path with the one of the nearest units."""
    more = float(path.distances.sum() / nearest.distances.sum() - 1)
    return {
        "target cost over the nearest units', %": 100 * more,
        "joins, % of steps": 100 * share_of_joins(path),
        "joins of the nearest units, %": 100 * share_of_joins(nearest),
    }


def share_of_joins(path: UnitPath) -> float:
    return float((np.diff(path.positions) != 1).mean())
