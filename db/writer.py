"""The one writer of a database: it writes rows to shards first, then sources to the manifest.

Sources are committed in batches of about a second.
"""

import sqlite3
import time
from dataclasses import dataclass, field
from pathlib import Path

from audio.read import READER_VERSION
from db.analyse import Description
from db.manifest_reading import read_shard_rows
from db.row_kinds import SPAN_TABLES, row_kinds
from db.settings import DescriptorSettings
from db.shards import ShardWriter, check_shards, checksum, make_shards_folder, remove_strays
from db.transaction import transaction
from db.update_normaliser import write_normaliser

COMMIT_SECONDS = 1.0


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
    reader: int = READER_VERSION
    warning: str | None = None

    def values(self) -> tuple:
        return tuple(vars(self).values())


@dataclass
class _Pending:
    """A source whose rows are in the shards, but which is not in the manifest yet."""

    source: SourceRow
    # kind of rows -> shard, first row, number of rows, crc32, and for units their lengths
    spans: dict[str, tuple] = field(default_factory=dict)


class Writer:
    """Adds, changes and removes sources.

    Nothing is durable until `commit`, which is also called automatically about every second.
    """

    def __init__(
        self, connection: sqlite3.Connection, path: Path, settings: DescriptorSettings
    ) -> None:
        self._connection = connection
        self._folder = path / "shards"
        self.settings = settings
        make_shards_folder(self._folder)
        self._shards: dict[str, ShardWriter] = {}
        try:
            self._open_shards()
        except BaseException:
            self._close_shards()
            raise
        self._pending: list[_Pending] = []
        self._touched: list[tuple[int, int, int, str]] = []
        self._shard_rows: dict[str, dict[int, int]] = {kind: {} for kind in self._shards}
        self._last_commit = time.monotonic()
        self._changed = connection.execute("SELECT 1 FROM normaliser").fetchone() is None

    def _open_shards(self) -> None:
        """Open the last shard of each kind, and remove everything that was never committed."""
        for kind, n_columns in row_kinds(self.settings).items():
            committed = read_shard_rows(self._connection, kind)
            check_shards(self._folder, kind, committed, n_columns)
            remove_strays(self._folder, kind, set(committed))
            last = max(committed, default=0)
            self._shards[kind] = ShardWriter(
                self._folder, kind, n_columns, shard=last, committed_rows=committed.get(last, 0)
            )

    def _close_shards(self) -> None:
        for shard in self._shards.values():
            shard.close()

    def add(self, source: SourceRow, description: Description) -> None:
        """Queue one source and its rows; it replaces any earlier entry of its path."""
        pending = _Pending(source)
        for kind, shard in self._shards.items():
            rows = description.frames if kind == "frames" else description.units
            number, first = shard.append(rows)
            span: tuple = (number, first, len(rows), checksum(rows))
            if kind == "units":
                span = (*span, description.lengths.astype("<i4").tobytes())
            pending.spans[kind] = span
            self._shard_rows[kind][number] = first + len(rows)
        self._changed = True
        self._queue(pending)

    def add_failure(self, source: SourceRow) -> None:
        """Queue a file that could not be analysed; it replaces any earlier entry of its path."""
        self._changed = True
        self._queue(_Pending(source))

    def _queue(self, pending: _Pending) -> None:
        self._pending.append(pending)
        self._commit_in_time()

    def _commit_in_time(self) -> None:
        if time.monotonic() - self._last_commit > COMMIT_SECONDS:
            self.commit()

    def commit(self) -> None:
        """Make everything queued durable."""
        if self._pending or self._touched:
            for shard in self._shards.values():
                shard.sync()
            with transaction(self._connection):
                for pending in self._pending:
                    self._insert(pending)
                self._connection.executemany(
                    "UPDATE sources SET n_bytes = ?, mtime_ns = ?, reader = ? WHERE path = ?",
                    self._touched,
                )
                self._update_shard_rows()
            self._pending.clear()
            self._touched.clear()
        self._last_commit = time.monotonic()

    def _insert(self, pending: _Pending) -> None:
        self._connection.execute("DELETE FROM sources WHERE path = ?", (pending.source.path,))
        values = pending.source.values()
        cursor = self._connection.execute(
            f"INSERT INTO sources VALUES (NULL{', ?' * len(values)})", values
        )
        for kind, span in pending.spans.items():
            spans, _ = SPAN_TABLES[kind]
            self._connection.execute(
                f"INSERT INTO {spans} VALUES (?{', ?' * len(span)})", (cursor.lastrowid, *span)
            )

    def _update_shard_rows(self) -> None:
        for kind, rows in self._shard_rows.items():
            _, shards = SPAN_TABLES[kind]
            self._connection.executemany(
                f"INSERT OR REPLACE INTO {shards} VALUES (?, ?)", rows.items()
            )

    def touch(self, name: str, n_bytes: int, mtime_ns: int) -> None:
        """Queue the size and date of a file whose rows are what this version makes of it."""
        self._touched.append((n_bytes, mtime_ns, READER_VERSION, name))
        self._commit_in_time()

    def rename(self, before: str, after: str, n_bytes: int, mtime_ns: int) -> None:
        """Rename a source; it keeps its rows, unit ids and tags."""
        self.commit()
        with transaction(self._connection) as connection:
            connection.execute("DELETE FROM sources WHERE path = ?", (after,))
            connection.execute("UPDATE sources SET path = ? WHERE path = ?", (after, before))
            connection.execute(
                "UPDATE OR REPLACE tags SET path = ? WHERE path = ?", (after, before)
            )
        self.touch(after, n_bytes, mtime_ns)

    def remove(self, names: list[str]) -> None:
        """Remove sources and their tags."""
        self.commit()
        self._changed |= bool(names)
        rows = [(name,) for name in names]
        with transaction(self._connection) as connection:
            connection.executemany("DELETE FROM sources WHERE path = ?", rows)
            connection.executemany("DELETE FROM tags WHERE path = ?", rows)

    def finish(self) -> None:
        """Commit, close the shards, and update the normaliser."""
        try:
            self.commit()
        finally:
            self._close_shards()
        if self._changed:
            write_normaliser(self._connection, self._folder, self.settings)
