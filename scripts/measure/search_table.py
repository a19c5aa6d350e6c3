"""The table of docs/rooms/query.md: what each knob of the path search does, on your own corpus.

    python scripts/measure/search_table.py CORPUS TARGET [--seconds 60] [-k 64]

TARGET is one of CORPUS's files; it is left out of what may be played, so that nothing is found in
itself.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from db.build import build_database
from db.database import Database
from query.filters import Filters
from query.index import UnitIndex
from query.options import PathOptions
from query.path import find_path, find_paths
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


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
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
    steps = int(seconds * database.sample_rate / database.hop_length)
    sequence = database.source_descriptors(position)[:steps]
    lasting = np.full(len(sequence), database.hop_length)
    audio_seconds = lasting.sum() / database.sample_rate
    others = tuple(source.path for source in database.sources if source.path != target)
    index = UnitIndex(
        Space(database), min_samples=database.hop_length, filters=Filters(sources=others))
    matches = index.search(sequence, k=k)
    index.search = lambda sequence, *, k: matches  # type: ignore[method-assign]  # once is enough
    print(
        f"{audio_seconds:.0f} s of {target}, {len(index)} units of {len(others)} other files, k ="
        f" {k}\n"
    )
    print(
        "| setting | target cost | joins, % of steps | mean run, s | units used | entropy, bits |"
        " search, % of audio |"
    )
    print("|---|---|---|---|---|---|---|")
    nearest = None
    for name, options in SETTINGS.items():
        started = time.perf_counter()
        path = find_path(index, sequence, PathOptions(k=k, **options), step_samples=lasting)
        taken = time.perf_counter() - started
        target_cost = float(path.distances.mean())
        joins = float((np.diff(path.positions) != 1).mean())
        nearest = nearest or target_cost
        _, uses = np.unique(path.positions, return_counts=True)
        share = uses / uses.sum()
        print(
            f"| {name} | {target_cost:.3f} ({100 * (target_cost / nearest - 1):+.1f} %) |"
            f" {100 * joins:.1f} | {audio_seconds / (1 + joins * (len(sequence) - 1)):.3f} |"
            f" {len(uses)} | {-(share * np.log2(share)).sum():.2f} |"
            f" {100 * taken / audio_seconds:.2f} |"
        )
    paths = find_paths(index, sequence, PathOptions(k=k), step_samples=lasting, variations=4)
    costs = ", ".join(f"{path.cost / len(sequence):.3f}" for path in paths)
    shared = [np.mean(a.positions == b.positions) for i, a in enumerate(paths) for b in paths[:i]]
    print(
        f"\n4 variations: costs per step {costs}; two of them play the same unit at"
        f" {100 * max(shared):.1f} % of steps at most"
    )


if __name__ == "__main__":
    main()
