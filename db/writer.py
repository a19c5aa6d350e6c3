"""The one writer of a database: rows to shards first, then their sources to the manifest, in batches of about a second."""

import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import filelock
import numpy as np

from db.errors import DatabaseError, ParameterError
from db.manifest import FILE_NAME
from db.normaliser import fit_normaliser
from db.settings import DescriptorSettings
from db.shards import ShardWriter, checksum, map_shard

COMMIT_SECONDS = 1.0


class Writer:
    """The one writer: rows to shards, then their sources to the manifest, in batches of about a second."""

    def __init__(self, connection: sqlite3.Connection, path: Path, settings: DescriptorSettings) -> None:
        self._connection, self._folder, self.settings = connection, path / "shards", settings
        self._folder.mkdir(exist_ok=True)
        committed = dict(connection.execute("SELECT shard, n_rows FROM shards"))
        last = max(committed, default=0)
        self._shard = ShardWriter(self._folder, settings.n_descriptors, shard=last, committed_rows=committed.get(last, 0))
        self._pending: list[tuple[tuple, tuple | None]] = []
        self._shard_rows: dict[int, int] = {}
        self._last_commit = time.monotonic()
        self._changed = connection.execute("SELECT 1 FROM normaliser").fetchone() is None

    def add(self, source: tuple, rows: np.ndarray | None) -> None:
        """Queue one source (a `sources` row without id) and its descriptors, or None for a failed one."""
        span = None
        if rows is not None:
            shard, first = self._shard.append(rows)
            span = (shard, first, len(rows), checksum(rows))
            self._shard_rows[shard] = first + len(rows)
            self._changed = True
        self._pending.append((source, span))
        if time.monotonic() - self._last_commit > COMMIT_SECONDS:
            self.commit()

    def commit(self) -> None:
        """Make everything queued durable."""
        if self._pending:
            self._shard.sync()
            with Transaction(self._connection) as connection:
                for source, span in self._pending:
                    connection.execute("DELETE FROM sources WHERE path = ?", source[:1])
                    cursor = connection.execute(f"INSERT INTO sources VALUES (NULL{', ?' * len(source)})", source)
                    if span:
                        connection.execute("INSERT INTO spans VALUES (?, ?, ?, ?, ?)", (cursor.lastrowid, *span))
                connection.executemany("INSERT OR REPLACE INTO shards VALUES (?, ?)", self._shard_rows.items())
            self._pending.clear()
        self._last_commit = time.monotonic()

    def touch(self, name: str, mtime_ns: int) -> None:
        """Remember a new modification time of unchanged content."""
        self._connection.execute("UPDATE sources SET mtime_ns = ? WHERE path = ?", (mtime_ns, name))

    def remove(self, names: list[str]) -> None:
        self._changed |= bool(names)
        with Transaction(self._connection) as connection:
            connection.executemany("DELETE FROM sources WHERE path = ?", [(name,) for name in names])

    def finish(self) -> None:
        """Commit, and bring the normaliser up to date."""
        self.commit()
        self._shard.close()
        if self._changed:
            normaliser = fit_normaliser(self._spans(), self.settings.n_descriptors)
            blobs = (normaliser.mean.astype("<f4").tobytes(), normaliser.std.astype("<f4").tobytes())
            self._connection.execute("INSERT OR REPLACE INTO normaliser VALUES (0, ?, ?)", blobs)

    def _spans(self) -> Iterator[np.ndarray]:
        shard_rows = dict(self._connection.execute("SELECT shard, n_rows FROM shards"))
        shards = {s: map_shard(self._folder, s, n, self.settings.n_descriptors) for s, n in shard_rows.items()}
        for shard, first, n_rows in self._connection.execute("SELECT shard, first_row, n_rows FROM spans ORDER BY 1, 2"):
            yield shards[shard][first : first + n_rows]


class Transaction:
    """All of it or nothing."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> sqlite3.Connection:
        self._connection.execute("BEGIN IMMEDIATE")
        return self._connection

    def __exit__(self, failed: type[BaseException] | None, *_: object) -> None:
        self._connection.execute("ROLLBACK" if failed else "COMMIT")


class WriterLock:
    """Hold the one writer's lock of a database; the operating system frees it if the process dies."""

    def __init__(self, path: Path) -> None:
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ParameterError(f"{path}: cannot make this folder ({error.strerror}); choose another place") from error
        if not (path / FILE_NAME).exists() and any(path.iterdir()):
            raise ParameterError(f"{path}: the folder is not empty and holds no database; choose a new or empty folder")
        self._path, self._lock = path, filelock.FileLock(path / "writer.lock", timeout=0)

    def __enter__(self) -> None:
        try:
            self._lock.acquire()
        except filelock.Timeout:
            raise DatabaseError(f"{self._path} is being written by another process; wait for it to end") from None
        except OSError as error:
            raise ParameterError(f"{self._path}: cannot be written ({error.strerror}); check its permissions") from error

    def __exit__(self, *_: object) -> None:
        self._lock.release()
