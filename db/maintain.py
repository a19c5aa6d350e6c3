"""Maintain a database: remove sources, and free the space of removed rows."""

import itertools
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from db.band_upkeep import bytes_of_bands, compact_bands
from db.manifest_reading import read_settings
from db.row_kinds import SPAN_TABLES, row_kinds
from db.shards import ShardWriter, checksum, read_rows, remove_strays, shard_path
from db.source_names import fitting_sources
from db.transaction import transaction
from db.write_lock import writing
from db.writer import Writer
from files.errors import DatabaseError, ParameterError
from files.names import quoted
from files.progress import Progress, no_progress


def remove_sources(path: str | Path, patterns: list[str]) -> list[str]:
    """Remove sources from a database; their files are not touched.

    The next build of their folder adds them again.

    Parameters
    ----------
    patterns : list of str
        See `db.source_names`.

    Returns
    -------
    list of str
        The paths removed, sorted.

    Raises
    ------
    ParameterError
        If a pattern matches nothing; then nothing is removed.
    DatabaseError
        If the database cannot be opened for writing.
    """
    with writing(Path(path)) as connection:
        removed = {name for pattern in patterns for name in match_sources(connection, pattern)}
        writer = Writer(connection, Path(path), read_settings(connection, Path(path)))
        writer.remove(sorted(removed))
        writer.finish()
    return sorted(removed)


def match_sources(connection: sqlite3.Connection, pattern: str) -> list[str]:
    """Return the paths of the sources that a name or a pattern means, sorted.

    Raises
    ------
    ParameterError
        If none matches.
    """
    known = [name for (name,) in connection.execute("SELECT path FROM sources")]
    matched = sorted(fitting_sources(known, pattern))
    if not matched:
        raise ParameterError(
            f"{pattern!r} matches none of the {len(known)} sources; demiurge db info --json lists"
            " them"
        )
    return matched


def compact(path: str | Path, progress: Progress = no_progress) -> tuple[int, int]:
    """Rewrite the shards without the rows of sources that changed or were removed.

    Unit ids change. New shards are written beside the old ones, and the manifest then switches to
    them in one transaction: if interrupted, the database is either as before or compacted.

    Returns
    -------
    tuple of int
        Size of the rows in bytes, before and after.

    Raises
    ------
    DatabaseError
        If rows are damaged (`verify` names them), or the database cannot be opened for writing.
    """
    path = Path(path)
    with writing(path) as connection:
        settings = read_settings(connection, path)
        Writer(connection, path, settings).finish()  # cuts off rows that were never committed
        before = _row_bytes(path)
        kinds = row_kinds(settings)
        total = sum(_count_sources(connection, kind) for kind in kinds)
        done = itertools.count(1)

        def report(name: str) -> None:
            progress(next(done), total, name)

        rewritten = [
            _rewrite(connection, path, kind, n_columns, report) for kind, n_columns in kinds.items()
        ]
        _change_to(connection, rewritten)
        for new in rewritten:
            remove_strays(path / "shards", new.kind, set(new.shard_rows))
        connection.execute("VACUUM")
    compact_bands(path)
    return before, _row_bytes(path)


@dataclass
class _Rewritten:
    """New shards of one kind of rows, and where each source's rows are in them."""

    kind: str
    shard_rows: dict[int, int]
    places: list[tuple[int, int, int]] = field(default_factory=list)  # shard, first row, source id


def _count_sources(connection: sqlite3.Connection, kind: str) -> int:
    return connection.execute(f"SELECT count(*) FROM {SPAN_TABLES[kind][0]}").fetchone()[0]


def _next_shard(connection: sqlite3.Connection, kind: str) -> int:
    """Return the first free shard number; numbers, and so unit ids, are never reused."""
    last = connection.execute(f"SELECT max(shard) FROM {SPAN_TABLES[kind][1]}").fetchone()[0]
    return 0 if last is None else last + 1


def _rewrite(
    connection: sqlite3.Connection,
    path: Path,
    kind: str,
    n_columns: int,
    report: Callable[[str], None],
) -> _Rewritten:
    """Write the rows of every source to new shards."""
    first_shard = _next_shard(connection, kind)
    new = _Rewritten(kind, shard_rows={first_shard: 0})
    shards = ShardWriter(path / "shards", kind, n_columns, shard=first_shard, committed_rows=0)
    with closing(shards):
        for source in _live_sources(connection, path, kind, n_columns):
            shard, first = shards.append(source.rows)
            new.places.append((shard, first, source.id))
            new.shard_rows[shard] = first + len(source.rows)
            report(source.path)
        shards.sync()
    return new


@dataclass(frozen=True)
class _LiveSource:
    id: int
    path: str
    rows: np.ndarray


def _live_sources(
    connection: sqlite3.Connection, path: Path, kind: str, n_columns: int
) -> Iterator[_LiveSource]:
    """Yield every source with its rows, which are checked, in their order on disk."""
    query = (
        "SELECT id, path, shard, first_row, n_rows, crc32"
        f" FROM {SPAN_TABLES[kind][0]} JOIN sources ON id = source_id ORDER BY shard, first_row"
    )
    for source, name, shard, first, n_rows, crc in connection.execute(query).fetchall():
        rows = read_rows(shard_path(path / "shards", kind, shard), first, n_rows, n_columns)
        if len(rows) < n_rows or checksum(rows) != crc:
            raise DatabaseError(
                f"{path}: the rows of {name} are damaged; run first: demiurge db verify --repair"
                f" {quoted(path)}"
            )
        yield _LiveSource(source, name, rows)


def _change_to(connection: sqlite3.Connection, rewritten: list[_Rewritten]) -> None:
    """Switch the manifest to the new shards of all kinds at once."""
    with transaction(connection):
        for new in rewritten:
            spans, shards = SPAN_TABLES[new.kind]
            connection.executemany(
                f"UPDATE {spans} SET shard = ?, first_row = ? WHERE source_id = ?", new.places
            )
            connection.execute(f"DELETE FROM {shards}")
            connection.executemany(f"INSERT INTO {shards} VALUES (?, ?)", new.shard_rows.items())


def _row_bytes(path: Path) -> int:
    shards = (path / "shards").glob("*.f32")
    return sum(file.stat().st_size for file in shards) + bytes_of_bands(path)
