"""Compare the search for the nearest units with hnswlib and scikit-learn, for docs/benchmarks.md.

    pip install hnswlib   # which Demiurge does not install
    OMP_NUM_THREADS=1 python scripts/measure/search_libraries.py AUDIO [--units 100000]

AUDIO is a folder; it is varied, as `demiurge bench query` does, until there are enough units. Its
longest file is left out, and gives the queries. Each index is in a process of its own, on one
thread, so that its memory can be told; it needs Linux for that. All are asked in turn, three times.

build     seconds, once, with a first query
memory    what the process gained by then, the vectors included
together  ms for each of 256 queries asked at once
alone     ms for a query asked alone
recall    the share of the 64 nearest units that are among the 64 found
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.neighbors import NearestNeighbors

from audio.scan import find_audio
from db.database import Database
from demiurge.bench.query import describe_varied, make_database, recall
from query.index import UnitIndex
from query.space import Space

try:
    import hnswlib
except ImportError:
    raise SystemExit("hnswlib is missing; run: pip install hnswlib") from None

STEPS = 256  # queries asked at once
ALONE = 32  # queries asked one at a time
K = 64
REPEATS = 3
DATABASE = "db"  # in the temporary folder
VECTORS = "vectors.npy"
OURS = ("flat", "ivf", "pq")
EFS = (64, 128, 256)  # candidates that hnswlib keeps while it searches
ALGORITHMS = ("brute", "kd_tree", "ball_tree")
SPAWN = get_context("spawn")  # a fork has free memory of its parent, which hides what it takes

Search = Callable[[np.ndarray], np.ndarray]  # positions of the nearest, shape (queries, K)
Searches = dict[str, Search]  # ways of searching an index, by name


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("audio", type=Path)
    parser.add_argument("--units", type=int, default=100_000)
    arguments = parser.parse_args()
    names = find_audio(arguments.audio)
    longest = max(names, key=lambda name: (arguments.audio / name).stat().st_size)
    queries = describe_varied(arguments.audio / longest, 1.0, 0).units
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / DATABASE
        others = [name for name in names if name != longest]
        make_database(path, arguments.audio, others, arguments.units)
        rows = np.linspace(0, len(queries) - 1, STEPS).astype(int)
        compare(Path(folder), queries[rows])


def compare(folder: Path, queries: np.ndarray) -> None:
    """Print a row for each index; distances are Euclidean between weighted descriptors."""
    database = Database(folder / DATABASE)
    space = Space(database)
    vectors = space.vectors(database.descriptors)
    points = space.vectors(queries)
    np.save(folder / VECTORS, vectors)
    print(f"{len(vectors)} units of {vectors.shape[1]} values, {STEPS} queries, k = {K}\n")
    kept = [
        *(Kept(partial(build_ours, folder, kind), queries) for kind in OURS),
        Kept(partial(build_hnsw, folder), points),
        *(Kept(partial(build_sklearn, folder, algorithm), points) for algorithm in ALGORITHMS),
    ]
    for _ in range(REPEATS):
        for index in kept:
            index.ask()
    print("| index | build, s | memory, MB | together, ms | alone, ms | recall@64 |")
    print("|---|---|---|---|---|---|")
    for index in kept:
        index.end()
    exact = kept[0].answers[0].found  # of ours, flat, which compares every unit
    for index in kept:
        for row in index.rows(exact):
            print(row)


@dataclass(frozen=True)
class Answer:
    """What one way of searching found, and the ms for a query of many and for one alone."""

    name: str
    together: float
    alone: float
    found: np.ndarray


class Kept:
    """An index kept in a process of its own.

    Attributes
    ----------
    answers : list of Answer
        One for each way of searching, and again whenever it was asked.
    """

    def __init__(self, build: Callable[[], Searches], queries: np.ndarray) -> None:
        self.answers: list[Answer] = []
        self._connection, theirs = SPAWN.Pipe()
        SPAWN.Process(target=serve, args=(theirs, build, queries), daemon=True).start()
        theirs.close()
        self._built, self._memory = self._connection.recv()

    def ask(self) -> None:
        self._connection.send(True)
        self.answers += self._connection.recv()

    def end(self) -> None:
        self._connection.send(False)

    def rows(self, exact: np.ndarray) -> Iterator[str]:
        for name in dict.fromkeys(answer.name for answer in self.answers):
            each = [answer for answer in self.answers if answer.name == name]
            together = statistics.median(answer.together for answer in each)
            alone = statistics.median(answer.alone for answer in each)
            share = recall(each[0].found, exact, K)
            yield (
                f"| {name} | {self._built:.2f} | {self._memory / 1e6:.0f} | {together:.3f} |"
                f" {alone:.3f} | {share:.4f} |"
            )


def serve(connection: Connection, build: Callable[[], Searches], queries: np.ndarray) -> None:
    """Build an index, then search whenever True comes, and send the answers."""
    before = resident()
    started = time.perf_counter()
    searches = build()
    for search in searches.values():
        search(queries[:1])
    connection.send((time.perf_counter() - started, resident() - before))
    while connection.recv():
        connection.send([ask(name, search, queries) for name, search in searches.items()])


def ask(name: str, search: Search, queries: np.ndarray) -> Answer:
    started = time.perf_counter()
    found = search(queries)
    together = 1e3 * (time.perf_counter() - started) / len(queries)
    alone = []
    for query in queries[:: len(queries) // ALONE, None]:
        started = time.perf_counter()
        search(query)
        alone.append(1e3 * (time.perf_counter() - started))
    return Answer(name, together, statistics.median(alone), found)


def resident() -> int:
    """Return the memory of this process, in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def build_ours(folder: Path, kind: str) -> Searches:
    index = UnitIndex(Space(Database(folder / DATABASE)), kind=kind)
    return {f"Demiurge, {kind}": lambda queries: index.search(queries, k=K).positions}


def build_hnsw(folder: Path) -> Searches:
    """Build a graph with hnswlib's own defaults, which is searched in several ways."""
    vectors = np.load(folder / VECTORS)
    index: Any = hnswlib.Index(space="l2", dim=vectors.shape[1])
    index.init_index(max_elements=len(vectors), M=16, ef_construction=200)
    index.set_num_threads(1)
    index.add_items(vectors)

    def search(queries: np.ndarray, ef: int) -> np.ndarray:
        index.set_ef(ef)
        return index.knn_query(queries, k=K)[0].astype(np.int64)

    return {f"hnswlib, ef {ef}": partial(search, ef=ef) for ef in EFS}


def build_sklearn(folder: Path, algorithm: str) -> Searches:
    vectors = np.load(folder / VECTORS)
    index = NearestNeighbors(n_neighbors=K, algorithm=algorithm).fit(vectors)

    def search(queries: np.ndarray) -> np.ndarray:
        return index.kneighbors(queries, return_distance=False)

    return {f"scikit-learn, {algorithm}": search}


if __name__ == "__main__":
    main()
