"""Descriptor rows on disk: append-only files of little-endian float32, C order, read through np.memmap.

A source's rows are contiguous within one shard. A row's number, `shard * capacity + row in shard`, never changes.
"""

import os
import zlib
from pathlib import Path
from typing import Self

import numpy as np

from db.errors import DatabaseError

SHARD_BYTES = 2 << 30  # a shard is sealed when the next source would make it larger


def rows_per_shard(n_descriptors: int) -> int:
    """Row numbers set aside for each shard."""
    return SHARD_BYTES // (4 * n_descriptors)


def shard_path(folder: Path, shard: int) -> Path:
    return folder / f"{shard:05d}.f32"


def checksum(rows: np.ndarray) -> int:
    return zlib.crc32(np.ascontiguousarray(rows, "<f4").data)


def map_shard(folder: Path, shard: int, n_rows: int, n_descriptors: int) -> np.ndarray:
    """The committed rows of a shard, read-only, shape (n_rows, n_descriptors).

    Raises
    ------
    DatabaseError
        If the file is missing or shorter than what was committed.
    """
    path = shard_path(folder, shard)
    needed = 4 * n_rows * n_descriptors
    size = path.stat().st_size if path.exists() else -1
    if size < needed:
        state = "missing" if size < 0 else f"{size} bytes long where {needed} were committed"
        raise DatabaseError(f"{path} is {state}; restore it from a copy, or delete the database and build it again")
    if n_rows == 0:
        return np.empty((0, n_descriptors), np.float32)
    return np.memmap(path, "<f4", "r", shape=(n_rows, n_descriptors))


class ShardWriter:
    """Appends rows. What `sync` has not reached may be lost in a crash; the manifest is written after `sync`."""

    def __init__(self, folder: Path, n_descriptors: int, *, shard: int, committed_rows: int) -> None:
        """Open `shard` for appending after its `committed_rows`; whatever follows them was never committed and is cut."""
        self._folder, self._n_descriptors = folder, n_descriptors
        self._open(shard, committed_rows)

    def _open(self, shard: int, rows: int) -> None:
        self.shard, self.rows = shard, rows
        self._file = open(shard_path(self._folder, shard), "ab")  # noqa: SIM115  closed by close()
        self._file.truncate(4 * rows * self._n_descriptors)

    def append(self, rows: np.ndarray) -> tuple[int, int]:
        """Append the rows of one source and return (shard, first row)."""
        if self.rows and self.rows + len(rows) > rows_per_shard(self._n_descriptors):
            self.close()
            self._open(self.shard + 1, 0)
        first = self.rows
        self._file.write(np.ascontiguousarray(rows, "<f4").data)
        self.rows += len(rows)
        return self.shard, first

    def sync(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        self.sync()
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
