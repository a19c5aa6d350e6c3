"""What one kind of index needs for one database, measured in processes of their own.

    python -m scripts.measure.growing.search FOLDER UNITS KIND build|search

`build` makes the index, `search` opens the one that is kept, searches and prints figures as JSON.
Times are seconds of work of one thread: other programs change these less than the clock's.
"""

import json
import os
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
from query.space import Space
from scripts.measure.growing.corpus import step_rows

KINDS = ("flat", "ivf", "pq")
K = 32
REPEATS = 3
PAGE = 16  # units that the driver of a cluster gets together


@dataclass(frozen=True)
class Measured:
    """The figures of one kind of index and one number of units.

    Attributes
    ----------
    n_units : int
    kind : str
    seconds : float
        For 1000 steps, the least of three.
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
    space = Space(Database(folder / f"{n_units}.db"))
    started = time.process_time()
    UnitIndex(space, kind=kind).search(space.database.rows_at(np.zeros(1, int)), k=1)
    return {"build_seconds": time.process_time() - started}


def search(folder: Path, n_units: int, kind: str) -> dict[str, float | str]:
    """Open the index and search for the targets."""
    database = Database(folder / f"{n_units}.db")
    sequence = step_rows(folder)
    empty = private_bytes()
    table = UnitIndex(Space(database), kind="flat", min_samples=database.hop_length)
    table_bytes = private_bytes() - empty
    index = UnitIndex(table.space, kind=kind, min_samples=database.hop_length)
    del table
    index.search(sequence[:1], k=1)
    index_bytes = private_bytes() - empty - table_bytes
    times = []
    for _ in range(REPEATS):
        faiss.cvar.indexIVF_stats.reset()
        started = time.process_time()
        found = index.search(sequence, k=K).positions
        times.append(time.process_time() - started)
    exact = folder / f"{n_units}-exact.npy"
    if kind == "flat":
        np.save(exact, found)
    kept = sorted((database.path / "index").glob("*.faiss"), key=lambda each: each.stat().st_mtime)
    cells = faiss.read_index(str(kept[-1])).nlist if kind != "flat" else 0
    compared = faiss.cvar.indexIVF_stats.ndis / len(sequence) if cells else len(index)
    return {
        "n_units": len(database.units),
        "kind": kind,
        "seconds": min(times),
        "recall": recall(found, np.load(exact), K),
        "table_bytes": table_bytes,
        "index_bytes": index_bytes,
        "disk_bytes": folder_bytes(database.path) - folder_bytes(database.path / "index"),
        "kept_bytes": kept[-1].stat().st_size if cells else 0,
        "n_cells": cells,
        "compared": compared,
        "pages": len(np.unique(found // PAGE)) / len(sequence),
    }


def private_bytes() -> int:
    """Return the memory of this process, without pages of files."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("RssAnon"))


def folder_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def main() -> None:
    folder, n_units, kind, what = sys.argv[1:]
    does = {"build": build, "search": search}[what]
    print(json.dumps(does(Path(folder), int(n_units), kind)))


if __name__ == "__main__":
    main()
