"""Measure the effect of each option of the path search, for the table of docs/rooms/query.md.

    python scripts/measure/search_table.py CORPUS TARGET [--seconds 60] [-k 64]

TARGET is one of CORPUS's files. Its own units are left out of the search.
"""

import argparse
import tempfile
import time
from itertools import combinations
from pathlib import Path

import numpy as np

from db.build import build_database
from db.database import Database
from query.filters import Filters
from query.index import UnitIndex
from query.options import PathOptions
from query.path import UnitPath, find_path, find_paths
from query.space import Space

SETTINGS: dict[str, dict] = {
    "nearest units (continuity 0)": {"continuity": 0.0},
    "greedy": {"search": "greedy"},
    "beam": {"search": "beam"},
    "**default**": {},
    "continuity 0.1": {"continuity": 0.1},
    "continuity 0.5": {"continuity": 0.5},
    "continuity 1": {"continuity": 1.0},
    "novelty 0.1": {"novelty": 0.1},
    "novelty 1": {"novelty": 1.0},
    "min-reuse 2": {"min_reuse": 2.0},
    "max-run 0.1": {"max_run": 0.1},
    "temperature 0.1": {"temperature": 0.1},
    "temperature 0.3": {"temperature": 0.3},
}

HEADINGS = (
    "setting",
    "target cost",
    "joins, % of steps",
    "mean run, s",
    "units used",
    "entropy, bits",
    "search, % of audio",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", type=Path)
    parser.add_argument("target", help="path within the corpus")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("-k", type=int, default=64)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        build_database(arguments.corpus, Path(folder) / "db")
        measure(Database(Path(folder) / "db"), arguments.target, arguments.seconds, arguments.k)


def measure(database: Database, target: str, seconds: float, k: int) -> None:
    position = [source.path for source in database.sources].index(target)
    n_steps = int(seconds * database.sample_rate / database.hop_length)
    sequence = database.source_descriptors(position)[:n_steps]
    index = index_without(target, database)
    matches = index.search(sequence, k=k)
    index.search = lambda sequence, *, k: matches  # type: ignore[method-assign]  # once is enough
    step_samples = np.full(len(sequence), database.hop_length)
    seconds = step_samples.sum() / database.sample_rate
    print(f"{seconds:.0f} s of {target}, {len(index)} units of other files, k = {k}\n")
    print(f"| {' | '.join(HEADINGS)} |\n{'|---' * len(HEADINGS)}|")
    nearest = None
    for name, changed in SETTINGS.items():
        started = time.perf_counter()
        options = PathOptions(k=k, **changed)
        path = find_path(index, sequence, options, step_samples=step_samples)
        taken = time.perf_counter() - started
        nearest = nearest or float(path.distances.mean())
        print(f"| {name} | {' | '.join(figures(path, nearest, seconds, taken))} |")
    paths = find_paths(index, sequence, PathOptions(k=k), step_samples=step_samples, variations=4)
    print("\n" + compare_variations(paths))


def index_without(target: str, database: Database) -> UnitIndex:
    """Index the units of all sources but one."""
    others = tuple(source.path for source in database.sources if source.path != target)
    return UnitIndex(
        Space(database), min_samples=database.hop_length, filters=Filters(sources=others)
    )


def figures(path: UnitPath, nearest: float, seconds: float, taken: float) -> list[str]:
    """Return the cells of a row; `nearest` is the mean distance of the nearest units."""
    distance = float(path.distances.mean())
    joins = float((np.diff(path.positions) != 1).mean())
    n_runs = 1 + joins * (len(path.positions) - 1)
    _, uses = np.unique(path.positions, return_counts=True)
    share = uses / uses.sum()
    return [
        f"{distance:.3f} ({100 * (distance / nearest - 1):+.1f} %)",
        f"{100 * joins:.1f}",
        f"{seconds / n_runs:.3f}",
        f"{len(uses)}",
        f"{-(share * np.log2(share)).sum():.2f}",
        f"{100 * taken / seconds:.2f}",
    ]


def compare_variations(paths: list[UnitPath]) -> str:
    costs = ", ".join(f"{path.cost / len(path.positions):.3f}" for path in paths)
    shared = [np.mean(a.positions == b.positions) for a, b in combinations(paths, 2)]
    return (
        f"{len(paths)} variations: costs per step {costs}; two of them play the same unit at "
        f"{100 * max(shared):.1f} % of steps at most"
    )


if __name__ == "__main__":
    main()
