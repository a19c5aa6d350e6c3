"""Upkeep of a database: remove sources, give back the space of removed rows, verify everything,
mend what is damaged.
"""

import fnmatch
import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from db.manifest import SPAN_TABLES, find_root, open_manifest, row_kinds, unit_row_kind
from db.settings import DescriptorSettings
from db.shards import ShardWriter, checksum, read_rows, remove_strays, shard_path
from db.transaction import transaction
from db.update_normaliser import write_normaliser
from db.writer import Writer
from db.writing import writing
from files.errors import DatabaseError, ParameterError
from files.hashing import hash_file
from files.progress import Progress, no_progress


def remove_sources(path: str | Path, patterns: list[str]) -> list[str]:
    """Take sources out of a database; their files are not touched.

    The next build of their folder would add them again.

    Parameters
    ----------
    patterns : list of str
        Paths as the database has them; *, ? and [abc] stand for other characters, / among them.

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
        writer = Writer(connection, Path(path), _settings(connection))
        writer.remove(sorted(removed))
        writer.finish()
    return sorted(removed)


def match_sources(connection: sqlite3.Connection, pattern: str) -> list[str]:
    """Paths of the sources that fit a pattern, sorted.

    Raises
    ------
    ParameterError
        If there are none.
    """
    known = [name for (name,) in connection.execute("SELECT path FROM sources")]
    matched = sorted(fnmatch.filter(known, pattern))
    if not matched:
        raise ParameterError(
            f"{pattern!r} matches none of the {len(known)} sources; demiurge db info --json lists"
            " them"
        )
    return matched


def compact(path: str | Path, progress: Progress = no_progress) -> tuple[int, int]:
    """Rewrite the shards without the rows of sources that changed or were removed. Unit ids change.

    New shards are written beside the old ones and the manifest then turns to them in one
    transaction: interrupted at any moment, the database is as before or compacted.

    Returns
    -------
    tuple of int
        Bytes of rows before and after.

    Raises
    ------
    DatabaseError
        If rows are damaged (`verify` names them), or the database cannot be opened for writing.
    """
    folder = Path(path) / "shards"
    with writing(Path(path)) as connection:
        settings = _settings(connection)
        Writer(connection, Path(path), settings).finish()  # cuts what was never committed
        before = _shard_bytes(folder)
        total = sum(
            connection.execute(f"SELECT count(*) FROM {SPAN_TABLES[k][0]}").fetchone()[0]
            for k in row_kinds(settings)
        )
        places: dict[
            str, list[tuple[int, int, int]]
        ] = {}  # kind -> (shard, first row, source) of each source
        shard_rows: dict[str, dict[int, int]] = {}
        done = 0
        for kind, n_columns in row_kinds(settings).items():
            last = connection.execute(f"SELECT max(shard) FROM {SPAN_TABLES[kind][1]}").fetchone()[
                0
            ]
            first_free = (
                0 if last is None else last + 1
            )  # numbers of shards, and so of units, are never used again
            places[kind] = []
            shard_rows[kind] = {first_free: 0}
            with closing(
                ShardWriter(folder, kind, n_columns, shard=first_free, committed_rows=0)
            ) as writer:
                for source, rows, name in _live_sources(connection, path, kind, n_columns):
                    shard, first = writer.append(rows)
                    places[kind].append((shard, first, source))
                    shard_rows[kind][shard] = first + len(rows)
                    done += 1
                    progress(done, total, name)
                writer.sync()
        _turn_to(connection, places, shard_rows)
        for kind, rows_of in shard_rows.items():
            remove_strays(folder, kind, set(rows_of))
        connection.execute("VACUUM")
        return before, _shard_bytes(folder)


def _turn_to(
    connection: sqlite3.Connection,
    places: dict[str, list[tuple[int, int, int]]],
    shard_rows: dict[str, dict[int, int]],
) -> None:
    """Let the manifest say where `compact` has put the rows, of all kinds at once."""
    with transaction(connection):
        for kind, moved in places.items():
            spans, shards = SPAN_TABLES[kind]
            connection.executemany(
                f"UPDATE {spans} SET shard = ?, first_row = ? WHERE source_id = ?", moved
            )
            connection.execute(f"DELETE FROM {shards}")
            connection.executemany(f"INSERT INTO {shards} VALUES (?, ?)", shard_rows[kind].items())


def _live_sources(
    connection: sqlite3.Connection, path: str | Path, kind: str, n_columns: int
) -> Iterator[tuple[int, np.ndarray, str]]:
    """Id, rows and path of every source in the order of its rows, checked."""
    query = (
        f"SELECT id, path, shard, first_row, n_rows, crc32 FROM {SPAN_TABLES[kind][0]} JOIN sources"
        " ON id = source_id"
    )
    for source, name, shard, first, n_rows, crc in connection.execute(
        f"{query} ORDER BY shard, first_row"
    ).fetchall():
        rows = read_rows(shard_path(Path(path) / "shards", kind, shard), first, n_rows, n_columns)
        if len(rows) < n_rows or checksum(rows) != crc:
            raise DatabaseError(
                f"{path}: the rows of {name} are damaged; run demiurge db verify --repair {path}"
                " first"
            )
        yield source, rows, name


@dataclass
class Verification:
    """What `verify` found.

    Each problem is (path of a source, or part of the database; what is wrong).
    """

    sources: int = 0
    rows: int = 0
    dead_rows: int = 0  # of sources that changed or were removed: space that `compact` gives back
    damaged: list[tuple[str, str]] = field(default_factory=list)  # in the database
    files: list[tuple[str, str]] = field(default_factory=list)  # in the corpus folder
    repaired: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not (self.damaged or self.files)


def verify(
    path: str | Path,
    *,
    root: str | Path | None = None,
    check_files: bool = True,
    repair: bool = False,
    progress: Progress = no_progress,
) -> Verification:
    """Check every row against its checksum, the units against their sources, and every audio file
    against its hash.

    Parameters
    ----------
    root : path, optional
        The corpus folder, if it has moved.
    check_files : bool
        Read the audio files too.
    repair : bool
        Take the sources whose rows are damaged out of the database, so that the next build analyses
        them again.

    Raises
    ------
    DatabaseError
        If the manifest cannot be read.
    """
    if not repair:
        with closing(open_manifest(Path(path), write=False)) as connection:
            return _verify(connection, Path(path), root, check_files, progress)
    with writing(Path(path)) as connection:
        result = _verify(connection, Path(path), root, check_files, progress)
        if result.damaged:
            _repair(connection, Path(path), result)
    return result


def _verify(
    connection: sqlite3.Connection,
    path: Path,
    root: str | Path | None,
    check_files: bool,
    progress: Progress,
) -> Verification:
    result = Verification()
    settings = _settings(connection)
    if (found := connection.execute("PRAGMA integrity_check").fetchone()[0]) != "ok":
        result.damaged.append(("manifest.sqlite", found))
    sources = connection.execute(
        "SELECT id, path, content_hash, n_samples FROM sources WHERE state = 'ok' ORDER BY path"
    ).fetchall()
    folder = (
        Path(root)
        if root
        else find_root(path, dict(connection.execute("SELECT key, value FROM config")))
    )
    result.sources = len(sources)
    for done, (source, name, content_hash, n_samples) in enumerate(sources, start=1):
        problem = _check_rows(connection, path / "shards", source, n_samples, settings, result)
        if problem:
            result.damaged.append((name, problem))
        if check_files and (problem := _check_file(folder / name, content_hash)):
            result.files.append((name, problem))
        progress(done, len(sources), name)
    kind = unit_row_kind(settings)
    stored = connection.execute(f"SELECT total(n_rows) FROM {SPAN_TABLES[kind][1]}").fetchone()[0]
    live = connection.execute(f"SELECT total(n_rows) FROM {SPAN_TABLES[kind][0]}").fetchone()[0]
    result.dead_rows = int(stored - live)
    if live and not _normaliser_is_finite(connection, settings):
        result.damaged.append(("normaliser", "missing or not finite"))
    return result


def _check_rows(
    connection: sqlite3.Connection,
    folder: Path,
    source: int,
    n_samples: int,
    settings: DescriptorSettings,
    result: Verification,
) -> str | None:
    """What is wrong with the rows of one source, if anything."""
    for kind, n_columns in row_kinds(settings).items():
        span = connection.execute(
            f"SELECT * FROM {SPAN_TABLES[kind][0]} WHERE source_id = ?", (source,)
        ).fetchone()
        if span is None:
            return f"it has no {kind}"
        _, shard, first, n_rows, crc, *lengths = span
        file = shard_path(folder, kind, shard)
        if not file.exists():
            return f"{file.name} is missing"
        rows = read_rows(file, first, n_rows, n_columns)
        result.rows += len(rows)
        if len(rows) < n_rows:
            return f"{file.name} is cut short: {len(rows)} of {n_rows} {kind} are there"
        if checksum(rows) != crc:
            return f"its {kind} in {file.name} do not agree with their checksum"
        if lengths and (
            np.frombuffer(lengths[0], "<i4").sum() != n_samples or len(lengths[0]) != 4 * n_rows
        ):
            return "its units do not tile it"
    return None


def _check_file(file: Path, content_hash: str) -> str | None:
    if not os.path.lexists(file):
        return "the file is gone; put it back, or run demiurge db build --prune"
    try:
        same = hash_file(file) == content_hash
    except OSError as error:
        return f"the file cannot be read ({error.strerror})"
    return None if same else "the file has changed since it was analysed; run demiurge db build"


def _normaliser_is_finite(connection: sqlite3.Connection, settings: DescriptorSettings) -> bool:
    stored = connection.execute("SELECT mean, std FROM normaliser").fetchone()
    values = [np.frombuffer(blob, "<f4") for blob in stored or ()]
    return len(values) == 2 and all(
        len(v) == settings.n_descriptors and np.isfinite(v).all() for v in values
    )


def _repair(connection: sqlite3.Connection, path: Path, result: Verification) -> None:
    """Forget the sources whose rows are damaged, and bring the shards' lengths in line with what is
    there.
    """
    settings = _settings(connection)
    names = {name for name, _ in result.damaged}
    with transaction(connection):
        connection.executemany("DELETE FROM sources WHERE path = ?", [(name,) for name in names])
        for kind, n_columns in row_kinds(settings).items():
            table = SPAN_TABLES[kind][1]
            for shard, n_rows in connection.execute(f"SELECT * FROM {table}").fetchall():
                file = shard_path(path / "shards", kind, shard)
                there = file.stat().st_size // (4 * n_columns) if file.exists() else 0
                connection.execute(
                    f"UPDATE {table} SET n_rows = ? WHERE shard = ?", (min(n_rows, there), shard)
                )
    write_normaliser(connection, path / "shards", settings)
    result.repaired = sorted(names)


def _settings(connection: sqlite3.Connection) -> DescriptorSettings:
    stored = connection.execute("SELECT value FROM config WHERE key = 'descriptors'").fetchone()
    if stored is None:
        raise DatabaseError(
            "the database has no settings: its first build never began; build it again"
        )
    return DescriptorSettings.from_dict(json.loads(stored[0]))


def _shard_bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.glob("*.f32"))
