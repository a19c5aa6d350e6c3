"""The one writer of a database: rows to shards first, then their sources to the manifest, in
batches of about a second.
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import filelock
import numpy as np

from db.analyse import Description
from db.manifest import FILE_NAME, SPAN_TABLES, open_manifest, row_kinds, unit_row_kind
from db.normaliser import fit_normaliser
from db.settings import DescriptorSettings
from db.shards import ShardWriter, checksum, read_rows, shard_path
from files.atomic import make_folder
from files.errors import DatabaseError, ParameterError

COMMIT_SECONDS = 1.0
NORMALISER_ROWS = 1 << 16  # rows in memory while mean and deviation are taken, 10 MB


@dataclass(frozen=True)
class SourceRow:
    """One row of the table `sources`, without its id."""

    path: str
    content_hash: str
    n_bytes: int
    mtime_ns: int
    sample_rate: int = 0
    channels: int = 0
    n_samples: int = 0
    state: str = "ok"
    error: str | None = None

    def values(self) -> tuple:
        return tuple(vars(self).values())


@dataclass
class _Pending:
    source: SourceRow
    spans: dict[str, tuple] = field(
        default_factory=dict
    )  # kind -> (shard, first row, rows, crc32[, lengths])


class Writer:
    """Adds, changes and removes sources.

    Nothing is durable until `commit`, which happens about every second by itself.
    """

    def __init__(
        self, connection: sqlite3.Connection, path: Path, settings: DescriptorSettings
    ) -> None:
        self._connection = connection
        self._folder = path / "shards"
        self.settings = settings
        self._folder.mkdir(exist_ok=True)
        self._shards: dict[str, ShardWriter] = {}
        for kind, n_columns in row_kinds(settings).items():
            committed = dict(
                connection.execute(f"SELECT shard, n_rows FROM {SPAN_TABLES[kind][1]}")
            )
            remove_strays(self._folder, kind, set(committed))
            last = max(committed, default=0)
            self._shards[kind] = ShardWriter(
                self._folder, kind, n_columns, shard=last, committed_rows=committed.get(last, 0)
            )
        self._pending: list[_Pending] = []
        self._shard_rows: dict[str, dict[int, int]] = {kind: {} for kind in self._shards}
        self._last_commit = time.monotonic()
        self._changed = connection.execute("SELECT 1 FROM normaliser").fetchone() is None

    def add(self, source: SourceRow, description: Description) -> None:
        """Queue one source and its rows; it replaces what was known of its path."""
        pending = _Pending(source)
        for kind, shard in self._shards.items():
            rows = description.frames if kind == "frames" else description.units
            number, first = shard.append(rows)
            lengths = () if kind == "frames" else (description.lengths.astype("<i4").tobytes(),)
            pending.spans[kind] = (number, first, len(rows), checksum(rows), *lengths)
            self._shard_rows[kind][number] = first + len(rows)
        self._changed = True
        self._queue(pending)

    def add_failure(self, source: SourceRow) -> None:
        """Queue a file that could not be analysed; it replaces what was known of its path."""
        self._changed = True
        self._queue(_Pending(source))

    def _queue(self, pending: _Pending) -> None:
        self._pending.append(pending)
        if time.monotonic() - self._last_commit > COMMIT_SECONDS:
            self.commit()

    def commit(self) -> None:
        """Make everything queued durable."""
        if self._pending:
            for shard in self._shards.values():
                shard.sync()
            with transaction(self._connection) as connection:
                for pending in self._pending:
                    connection.execute("DELETE FROM sources WHERE path = ?", (pending.source.path,))
                    values = pending.source.values()
                    cursor = connection.execute(
                        f"INSERT INTO sources VALUES (NULL{', ?' * len(values)})", values
                    )
                    for kind, span in pending.spans.items():
                        marks = ", ?" * len(span)
                        connection.execute(
                            f"INSERT INTO {SPAN_TABLES[kind][0]} VALUES (?{marks})",
                            (cursor.lastrowid, *span),
                        )
                for kind, rows in self._shard_rows.items():
                    connection.executemany(
                        f"INSERT OR REPLACE INTO {SPAN_TABLES[kind][1]} VALUES (?, ?)", rows.items()
                    )
            self._pending.clear()
        self._last_commit = time.monotonic()

    def touch(self, name: str, n_bytes: int, mtime_ns: int) -> None:
        """Remember a new time of unchanged content."""
        self._connection.execute(
            "UPDATE sources SET n_bytes = ?, mtime_ns = ? WHERE path = ?", (n_bytes, mtime_ns, name)
        )

    def rename(self, before: str, after: str, n_bytes: int, mtime_ns: int) -> None:
        """A source's file has another name now; its rows and unit ids stay."""
        self.commit()
        with transaction(self._connection) as connection:
            connection.execute("DELETE FROM sources WHERE path = ?", (after,))
            connection.execute("UPDATE sources SET path = ? WHERE path = ?", (after, before))
            connection.execute(
                "UPDATE OR REPLACE tags SET path = ? WHERE path = ?", (after, before)
            )
            self.touch(after, n_bytes, mtime_ns)

    def remove(self, names: list[str]) -> None:
        self.commit()
        self._changed |= bool(names)
        with transaction(self._connection) as connection:
            connection.executemany(
                "DELETE FROM sources WHERE path = ?", [(name,) for name in names]
            )
            connection.executemany("DELETE FROM tags WHERE path = ?", [(name,) for name in names])

    def finish(self) -> None:
        """Commit, and bring the normaliser up to date."""
        try:
            self.commit()
        finally:
            for shard in self._shards.values():
                shard.close()
        if self._changed:
            write_normaliser(self._connection, self._folder, self.settings)


def write_normaliser(
    connection: sqlite3.Connection, folder: Path, settings: DescriptorSettings
) -> None:
    """Mean and deviation of all units that there are."""
    normaliser = fit_normaliser(live_rows(connection, folder, settings), settings.n_descriptors)
    blobs = (normaliser.mean.astype("<f4").tobytes(), normaliser.std.astype("<f4").tobytes())
    connection.execute("INSERT OR REPLACE INTO normaliser VALUES (0, ?, ?)", blobs)


def live_rows(
    connection: sqlite3.Connection, folder: Path, settings: DescriptorSettings
) -> Iterator[np.ndarray]:
    """Rows of every unit in the order of the shards, a few at a time; adjacent sources are read as
    one.
    """
    kind = unit_row_kind(settings)
    n_columns = settings.n_descriptors
    query = f"SELECT shard, first_row, n_rows FROM {SPAN_TABLES[kind][0]} ORDER BY shard, first_row"
    runs: list[list[int]] = []
    for shard, first, n_rows in connection.execute(query):
        if runs and runs[-1][0] == shard and runs[-1][1] + runs[-1][2] == first:
            runs[-1][2] += n_rows
        else:
            runs.append([shard, first, n_rows])
    for shard, first, n_rows in runs:
        for start in range(first, first + n_rows, NORMALISER_ROWS):
            n = min(NORMALISER_ROWS, first + n_rows - start)
            yield read_rows(shard_path(folder, kind, shard), start, n, n_columns)


def remove_strays(folder: Path, kind: str, committed: set[int]) -> None:
    """Delete shard files that no commit knows: of a crash before the first commit, or left by an
    interrupted compaction.
    """
    pattern = "[0-9]*.f32" if kind == "frames" else f"{kind}-*.f32"
    for file in folder.glob(pattern):
        if int(file.stem.rpartition("-")[2]) not in committed:
            file.unlink()


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """All of it or nothing."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield connection
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


@contextmanager
def writing(path: Path, *, create: bool = False) -> Iterator[sqlite3.Connection]:
    """The manifest of a database, opened by its one writer.

    The lock is freed by the operating system if the process dies.

    Raises
    ------
    ParameterError
        If `path` cannot be written, or with `create` is a folder of something else.
    DatabaseError
        If there is no database (without `create`), another process is writing, it is damaged or
        newer, or the disk is full.
    """
    if create:
        _open_folder(path)
    elif not (path / FILE_NAME).is_file():
        raise DatabaseError(
            f"{path}: no database here (no {FILE_NAME}); make one with: demiurge db build AUDIO_DIR"
            f" {path}"
        )
    lock = filelock.FileLock(path / "writer.lock", timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise DatabaseError(
            f"{path} is being written by another process; wait for it to end"
        ) from None
    except OSError as error:
        raise ParameterError(
            f"{path}: cannot be written ({error.strerror}); check its permissions"
        ) from error
    try:
        connection = open_manifest(path, write=True)
        try:
            yield connection
        finally:
            connection.close()
    except (OSError, sqlite3.OperationalError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DatabaseError(
            f"{path}: cannot be written ({reason}); what was committed is kept: make room or check"
            " permissions, then run the same command again"
        ) from error
    finally:
        lock.release()


def _open_folder(path: Path) -> None:
    make_folder(path)
    if not (path / FILE_NAME).exists() and any(
        file.name != "writer.lock" for file in path.iterdir()
    ):
        raise ParameterError(
            f"{path}: the folder is not empty and holds no database; choose a new or empty folder"
        )
