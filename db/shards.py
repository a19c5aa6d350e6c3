"""Descriptor rows on disk: append-only files of little-endian float32, read through np.memmap.

Frames have shards, and so do units if they are longer than a frame. A source's rows are contiguous
within one shard. A row's number, `shard * capacity + row in shard`, stays the same until the
database is compacted, and is never reused.
"""

import os
import re
import stat
import zlib
from io import BufferedWriter
from pathlib import Path

import numpy as np

from files.errors import DatabaseError, system_reason
from files.names import quoted
from files.regular import OF_THE_SYSTEM
from files.system import advice_for

SHARD_BYTES = 2 << 30  # a new shard is started when the next source would exceed this


def rows_per_shard(n_columns: int) -> int:
    """Return the capacity of a shard, in rows."""
    return SHARD_BYTES // (4 * n_columns)


def shard_path(folder: Path, kind: str, shard: int) -> Path:
    """Return the file of a shard; `kind` is "frames" or "units"."""
    return folder / (f"{shard:05d}.f32" if kind == "frames" else f"{kind}-{shard:05d}.f32")


def read_rows(path: Path, first: int, n_rows: int, n_columns: int) -> np.ndarray:
    """Read rows into memory; fewer are returned if the file is cut short.

    They are not mapped, so that a pass over a large database takes little memory.
    """
    with open(path, "rb") as file:
        file.seek(4 * first * n_columns)
        values = np.fromfile(file, "<f4", n_rows * n_columns)
    return values[: len(values) // n_columns * n_columns].reshape(-1, n_columns)


def checksum(rows: np.ndarray) -> int:
    """Return the CRC-32 of rows as stored on disk."""
    return zlib.crc32(np.ascontiguousarray(rows, "<f4").data)


def map_shard(path: Path, n_rows: int, n_columns: int) -> np.ndarray:
    """Map the committed rows of a shard, read-only, shape (n_rows, n_columns).

    Raises
    ------
    DatabaseError
        If the file is missing or shorter than the committed rows.
    """
    if n_rows == 0:
        return np.empty((0, n_columns), np.float32)
    _check_length(path, 4 * n_rows * n_columns)
    # a plain array, since each slice of a memmap costs a microsecond more
    return np.asarray(np.memmap(path, "<f4", "r", shape=(n_rows, n_columns)))


def check_shards(folder: Path, kind: str, shard_rows: dict[int, int], n_columns: int) -> None:
    """Raise a `DatabaseError` if the file of a shard does not hold its committed rows.

    Parameters
    ----------
    folder : Path
        The folder of the shards.
    shard_rows : dict of int to int
        Number of committed rows in each shard.
    """
    for shard, n_rows in shard_rows.items():
        if n_rows:
            _check_length(shard_path(folder, kind, shard), 4 * n_rows * n_columns)


def _check_length(path: Path, needed: int) -> None:
    if (problem := file_problem(path, needed)) is not None:
        database = quoted(path.parent.parent)
        raise DatabaseError(
            f"{path} {problem}; run demiurge db verify --repair {database}, then demiurge db build"
            " (or restore a copy)"
        )


def file_problem(path: Path, needed: int) -> str | None:
    """Return why a shard cannot be read up to a byte, if so.

    Raises
    ------
    DatabaseError
        If the system does not let it be looked at: a repair would only lose what it holds.
    """
    try:
        status = path.stat()
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        if error.errno in OF_THE_SYSTEM:
            raise _refused(path, error) from error
        return f"cannot be read ({system_reason(error)})"
    if not stat.S_ISREG(status.st_mode):  # a pipe would block
        return "is not a regular file"
    if status.st_size < needed:
        return f"is {status.st_size} bytes long, but {needed} were committed"
    return None


def _refused(path: Path, error: OSError) -> DatabaseError:
    return DatabaseError(f"{path}: cannot be read ({system_reason(error)}); {advice_for(error)}")


def make_shards_folder(folder: Path) -> None:
    """Make the folder of the shards, if it does not exist.

    Raises
    ------
    DatabaseError
        If something else has its name.
    """
    if os.path.lexists(folder) and not folder.is_dir():
        raise _not_a_folder(folder)
    folder.mkdir(exist_ok=True)


def find_shards(folder: Path, kind: str) -> dict[int, Path]:
    """Return the files of the shards of a kind, committed or not, by their numbers.

    Raises
    ------
    DatabaseError
        If their folder is something else, or the system does not let it be listed: a repair would
        lose all that it holds.
    """
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        names = []
    except NotADirectoryError as error:
        raise _not_a_folder(folder) from error
    except OSError as error:
        raise _refused(folder, error) from error
    prefix = "" if kind == "frames" else f"{kind}-"
    numbers = {name: re.fullmatch(rf"{prefix}(\d{{5,9}})\.f32", name) for name in names}
    return {int(match[1]): folder / name for name, match in numbers.items() if match}


def _not_a_folder(folder: Path) -> DatabaseError:
    return DatabaseError(
        f"{folder} is not a folder, but should hold the rows of the database; remove it, then run"
        f" demiurge db verify --repair {quoted(folder.parent)}"
    )


def remove_impostors(folder: Path, kind: str) -> None:
    """Remove what has the name of a shard and cannot be one, e.g. a broken link or a pipe.

    Raises
    ------
    DatabaseError
        If it is a folder that is not empty, or the system does not let it be removed.
    """
    for path in find_shards(folder, kind).values():
        if file_problem(path, 0) is not None:
            _remove(path)


def _remove(path: Path) -> None:
    try:
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise DatabaseError(
            f"{path} is in the place of a shard and cannot be removed ({system_reason(error)});"
            " remove it, then run the same command again"
        ) from error


def remove_strays(folder: Path, kind: str, committed: set[int]) -> None:
    """Delete the shards of a kind that were never committed.

    They were left by a crash before the first commit, or by an interrupted compaction.
    """
    for shard, file in find_shards(folder, kind).items():
        if shard not in committed:
            _remove(file)


class ShardWriter:
    """Appends rows to the shards of one kind.

    Rows may be lost in a crash until `sync` is called; the manifest is written after that.
    """

    def __init__(
        self, folder: Path, kind: str, n_columns: int, *, shard: int, committed_rows: int
    ) -> None:
        """Open a shard to append after its committed rows; rows beyond them are cut off.

        Raises
        ------
        DatabaseError
            If committed rows are missing.
        """
        self._folder = folder
        self._kind = kind
        self._n_columns = n_columns
        self._file: BufferedWriter | None = None
        self.shard = shard
        self.rows = committed_rows
        path = shard_path(folder, kind, shard)
        if committed_rows or os.path.lexists(path):
            _check_length(path, 4 * committed_rows * n_columns)
        if committed_rows:
            self._open()

    def _open(self) -> BufferedWriter:
        path = shard_path(self._folder, self._kind, self.shard)
        self._file = open(path, "ab")  # noqa: SIM115  closed by close()
        self._file.truncate(4 * self.rows * self._n_columns)
        return self._file

    def append(self, rows: np.ndarray) -> tuple[int, int]:
        """Append the rows of one source and return (shard, first row)."""
        if self.rows and self.rows + len(rows) > rows_per_shard(self._n_columns):
            self.sync()
            self.close()
            self.shard += 1
            self.rows = 0
        first = self.rows
        file = self._file or self._open()
        file.write(np.ascontiguousarray(rows, "<f4").data)
        self.rows += len(rows)
        return self.shard, first

    def sync(self) -> None:
        """Flush to the disk."""
        if self._file:
            self._file.flush()
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file without syncing it."""
        if self._file:
            self._file.close()
            self._file = None
