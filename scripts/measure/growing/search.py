"""What one kind of index needs for one database, measured in a process of its own.

    python -m scripts.measure.growing.search FOLDER UNITS KIND

Times are seconds of one thread's work, which other programs on the machine change less than the
clock: the least of a few repeats.
"""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import faiss
import numpy as np

from db.database import Database
from files.atomic import replacing
from query.index import UnitIndex
from query.proposals import n_cells
from query.space import Space
from scripts.measure.growing.corpus import STEPS

K = 32
REPEATS = 3
PAGE = 16  # units that a driver of a cluster fetches together


@dataclass(frozen=True)
class Measured:
    """The figures of one kind of index and one number of units.

    Attributes
    ----------
    n_units : int
    kind : str
    seconds : float
        For 1000 steps.
    recall : float
        Share of the 32 nearest units that are found.
    build_seconds : float
        For the cells or, of a flat index, the vectors.
    table_bytes, index_bytes : int
        Memory that is not shared: of the unit table and masks, and of the index.
    peak_bytes : int
        Most memory that the process has had resident, pages of the database's files included.
    disk_bytes, kept_bytes : int
        On disk: of the database, and of the index.
    n_cells : int
    compared : float
        Vectors that are compared with a step.
    pages : float
        Pages of 16 units, per step, that hold the units found.
    """

    n_units: int
    kind: str
    seconds: float
    recall: float
    build_seconds: float
    table_bytes: int
    index_bytes: int
    peak_bytes: int
    disk_bytes: int
    kept_bytes: int
    n_cells: int
    compared: float
    pages: float


def measure(folder: Path, n_units: int, kind: str) -> Measured:
    """Measure one kind of index; that of kind "flat" must have been measured before the others."""
    sequence = np.load(folder / "targets.npy")
    sequence = sequence[np.linspace(0, len(sequence) - 1, STEPS).astype(int)]
    path = folder / f"{n_units}.db"
    ...
