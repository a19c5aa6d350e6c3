"""Update the mean and standard deviation of all units after a database has changed."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from db.normaliser import fit_normaliser
from db.row_kinds import SPAN_TABLES, unit_row_kind
from db.settings import DescriptorSettings
from db.shards import read_rows, shard_path
from files.errors import DatabaseError
from files.names import quoted

BLOCK_ROWS = 1 << 16  # rows in memory at a time, 10 MB


def write_normaliser(
    connection: sqlite3.Connection, folder: Path, settings: DescriptorSettings
) -> None:
    """Compute the normaliser of all units, and write it to the manifest.

    Parameters
    ----------
    folder : Path
        The folder of the shards.

    Raises
    ------
    DatabaseError
        If rows are not finite, since they were damaged on disk.
    """
    with np.errstate(all="ignore"):
        rows = _unit_rows(connection, folder, settings)
        normaliser = fit_normaliser(rows, settings.n_descriptors)
    if not (np.isfinite(normaliser.mean).all() and np.isfinite(normaliser.std).all()):
        raise DatabaseError(
            f"{folder}: its rows are damaged on disk; run first: demiurge db verify --repair"
            f" {quoted(folder.parent)}"
        )
    blobs = (normaliser.mean.astype("<f4").tobytes(), normaliser.std.astype("<f4").tobytes())
    connection.execute("INSERT OR REPLACE INTO normaliser VALUES (0, ?, ?)", blobs)


def _unit_rows(
    connection: sqlite3.Connection, folder: Path, settings: DescriptorSettings
) -> Iterator[np.ndarray]:
    """Yield the rows of all units in blocks, in the order of the shards."""
    kind = unit_row_kind(settings)
    for shard, first, n_rows in _runs(connection, kind):
        for start in range(first, first + n_rows, BLOCK_ROWS):
            n = min(BLOCK_ROWS, first + n_rows - start)
            yield read_rows(shard_path(folder, kind, shard), start, n, settings.n_descriptors)


def _runs(connection: sqlite3.Connection, kind: str) -> list[list[int]]:
    """Return [shard, first row, number of rows] of all sources, with adjacent ones merged."""
    spans, _ = SPAN_TABLES[kind]
    query = f"SELECT shard, first_row, n_rows FROM {spans} ORDER BY shard, first_row"
    runs: list[list[int]] = []
    for shard, first, n_rows in connection.execute(query):
        if runs and runs[-1][0] == shard and runs[-1][1] + runs[-1][2] == first:
            runs[-1][2] += n_rows
        else:
            runs.append([shard, first, n_rows])
    return runs
