"""What one kind of index needs for one database, measured in processes of their own.

    python -m scripts.measure.growing.search FOLDER UNITS KIND build|search

`build` makes the index, `search` opens the one that is kept, searches and prints figures as JSON.
Times are seconds of work of one thread: other programs change these less than the clock's.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import faiss
import numpy as np

from db.database import Database
from demiurge.bench.query import recall
from files.atomic import replacing
from query.index import UnitIndex
from query.proposals import n_cells
from query.space import Space
from scripts.measure.growing.corpus import database_path, folder_bytes, steps_of

KINDS = ("flat", "ivf", "pq")
K = 32
REPEATS = 3
LONG_SECONDS = 20.0
STATISTICS = faiss.cvar.indexIVF_stats  # type: ignore[attr-defined]
PAGE = 16  # units that the driver of a cluster gets together


@dataclass(frozen=True)
class Measured:
    """The figures of one kind of index and one number of units.

    Attributes
    ----------
    n_units : int
    kind : str
    seconds : float
        For 1000 steps, the least of three if these do not take long.
    recall : float
        Share of the 32 nearest units that are found.
    build_seconds : float
        For the cells or, of a flat index, for its vectors, each time that it is opened.
    table_bytes, index_bytes : int
        Memory, without pages of files: of the unit table and masks, and of the index.
    disk_bytes, kept_bytes : int
        On disk: of the database, and of the index.
    n_cells : int
        0 if there are none.
    compared : float
        Vectors that are compared with a step.
    pages : float
        Pages of units that the candidates are on, for each step.
    """

    n_units: int
    kind: str
    seconds: float
    recall: float
    build_seconds: float
    table_bytes: int
    index_bytes: int
    disk_bytes: int
    kept_bytes: int
    n_cells: int
    compared: float
    pages: float


def measured(folder: Path, n_units: int, kind: str) -> Measured:
    """Measure one kind of index, unless that was done before; "flat" comes before the others."""
    path = folder / f"{n_units}-{kind}.json"
    if not path.exists():
        built = json.loads(_run(folder, n_units, kind, "build"))
        figures = json.loads(_run(folder, n_units, kind, "search"))
        with replacing(path) as temporary:
            temporary.write_text(json.dumps(figures | built))
    return Measured(**json.loads(path.read_text()))


def _run(folder: Path, n_units: int, kind: str, what: str) -> str:
    command = [sys.executable, "-m", "scripts.measure.growing.search"]
    return subprocess.run(
        [*command, str(folder), str(n_units), kind, what],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout


def build(folder: Path, n_units: int, kind: str) -> dict[str, float]:
    """Make the index, which is kept in the database's folder."""
    space = Space(Database(database_path(folder, n_units)))
    shutil.rmtree(space.database.path / "index", ignore_errors=True)
    started = time.process_time()
    UnitIndex(space, kind=kind).search(space.database.rows_at(np.zeros(1, int)), k=1)
    return {"build_seconds": time.process_time() - started}


def search(folder: Path, n_units: int, kind: str) -> dict[str, float | str]:
    """Open the index and search for the targets."""
    database = Database(database_path(folder, n_units))
    sequence = steps_of(folder)
    empty = private_bytes()
    table = UnitIndex(Space(database), kind="flat", min_samples=database.hop_length)
    table_bytes = private_bytes() - empty
    index = UnitIndex(table.space, kind=kind, min_samples=database.hop_length)
    del table
    index.search(sequence[:1], k=1)
    index_bytes = private_bytes() - empty - table_bytes
    STATISTICS.reset()
    found, seconds = timed_search(index, sequence)
    compared = STATISTICS.ndis / len(sequence)
    exact = folder / f"{n_units}-exact.npy"
    if kind == "flat":
        np.save(exact, found)
    cells = n_cells(len(database.units)) if kind != "flat" else 0
    kept_bytes = folder_bytes(database.path / "index")
    return {
        "n_units": len(database.units),
        "kind": kind,
        "seconds": seconds,
        "recall": recall(found, np.load(exact), K),
        "table_bytes": table_bytes,
        "index_bytes": index_bytes,
        "disk_bytes": folder_bytes(database.path) - kept_bytes,
        "kept_bytes": kept_bytes,
        "n_cells": cells,
        "compared": compared if cells else len(index),
        "pages": len(np.unique(found // PAGE)) / len(sequence),
    }


def timed_search(index: UnitIndex, sequence: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the k nearest units, and the least time of a few searches; of one, if it is long."""
    times: list[float] = []
    while len(times) < REPEATS and sum(times) < LONG_SECONDS:
        STATISTICS.reset()
        started = time.process_time()
        found = index.search(sequence, k=K).positions
        times.append(time.process_time() - started)
    return found, min(times)


def private_bytes() -> int:
    """Return the memory of this process, without pages of files."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("RssAnon"))


def main() -> None:
    folder, n_units, kind, what = sys.argv[1:]
    does = {"build": build, "search": search}[what]
    print(json.dumps(does(Path(folder), int(n_units), kind)))


if __name__ == "__main__":
    main()
