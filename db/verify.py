"""Verify every row, unit and audio file of a database, and repair it."""

import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from db.manifest import SPAN_TABLES, find_root, open_manifest, row_kinds, unit_row_kind
from db.manifest_reading import read_config, read_normaliser, read_settings, read_shard_rows
from db.settings import DescriptorSettings
from db.shards import checksum, read_rows, shard_path
from db.transaction import transaction
from db.update_normaliser import write_normaliser
from db.write_lock import writing
from files.errors import DatabaseError
from files.hashing import hash_file
from files.progress import Progress, no_progress


@dataclass
class Verification:
    """The result of `verify`.

    A problem is a pair: the path of a source, or a part of the database; and the description.
    """

    sources: int = 0
    rows: int = 0
    dead_rows: int = 0  # of sources that changed or were removed; `compact` frees them
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
    """Check rows against checksums, units against their sources, audio files against their hashes.

    Parameters
    ----------
    root : path, optional
        The corpus folder, if it has moved.
    check_files : bool
        Read the audio files too.
    repair : bool
        Remove the sources whose rows are damaged from the database, so that the next build
        analyses them again.

    Raises
    ------
    DatabaseError
        If the manifest cannot be read, or `root` is no folder.
    """
    path = Path(path)
    if not repair:
        with closing(open_manifest(path, write=False)) as connection:
            return _Verifier(connection, path).run(root, check_files, progress)
    with writing(path) as connection:
        result = _Verifier(connection, path).run(root, check_files, progress)
        if result.damaged:
            _repair(connection, path, result)
    return result


class _VerifiedSource(NamedTuple):
    id: int
    path: str
    content_hash: str
    n_samples: int


class _Verifier:
    """One run of `verify`."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path
        self._settings = read_settings(connection)
        self._result = Verification()

    def run(self, root: str | Path | None, check_files: bool, progress: Progress) -> Verification:
        result = self._result
        self._check_manifest()
        folder = self._find_folder(root) if check_files else Path()
        sources = self._read_sources()
        result.sources = len(sources)
        for done, source in enumerate(sources, start=1):
            if problem := self._check_rows(source):
                result.damaged.append((source.path, problem))
            if check_files and (problem := _check_file(folder / source.path, source.content_hash)):
                result.files.append((source.path, problem))
            progress(done, len(sources), source.path)
        self._check_units()
        return result

    def _find_folder(self, root: str | Path | None) -> Path:
        if root is None:
            return find_root(self._path, read_config(self._connection))
        if not Path(root).is_dir():
            raise DatabaseError(
                f"{root}: no such folder; give the corpus folder of {self._path} as root"
            )
        return Path(root)

    def _check_manifest(self) -> None:
        found = self._connection.execute("PRAGMA integrity_check").fetchone()[0]
        if found != "ok":
            self._result.damaged.append(("manifest.sqlite", found))

    def _read_sources(self) -> list[_VerifiedSource]:
        query = (
            "SELECT id, path, content_hash, n_samples FROM sources WHERE state = 'ok' ORDER BY path"
        )
        return [_VerifiedSource(*row) for row in self._connection.execute(query)]

    def _check_rows(self, source: _VerifiedSource) -> str | None:
        """Return the first problem with the rows of a source, if any."""
        for kind, n_columns in row_kinds(self._settings).items():
            query = f"SELECT * FROM {SPAN_TABLES[kind][0]} WHERE source_id = ?"
            span = self._connection.execute(query, (source.id,)).fetchone()
            if span is None:
                return f"it has no {kind}"
            _, shard, first, n_rows, crc, *lengths = span
            file = shard_path(self._path / "shards", kind, shard)
            if not file.exists():
                return f"{file.name} is missing"
            rows = read_rows(file, first, n_rows, n_columns)
            self._result.rows += len(rows)
            if len(rows) < n_rows:
                return f"{file.name} is cut short: only {len(rows)} of {n_rows} {kind} are there"
            if checksum(rows) != crc:
                return f"its {kind} in {file.name} do not agree with their checksum"
            if lengths and not _tile(lengths[0], n_rows, source.n_samples):
                return "its units do not tile it"
        return None

    def _check_units(self) -> None:
        """Count the rows that belong to no source, and check the normaliser."""
        spans, shards = SPAN_TABLES[unit_row_kind(self._settings)]
        live = self._sum_rows(spans)
        self._result.dead_rows = self._sum_rows(shards) - live
        if live and not self._normaliser_is_finite():
            self._result.damaged.append(("normaliser", "missing or not finite"))

    def _sum_rows(self, table: str) -> int:
        return int(self._connection.execute(f"SELECT total(n_rows) FROM {table}").fetchone()[0])

    def _normaliser_is_finite(self) -> bool:
        normaliser = read_normaliser(self._connection)
        return normaliser is not None and all(
            len(values) == self._settings.n_descriptors and np.isfinite(values).all()
            for values in (normaliser.mean, normaliser.std)
        )


def _tile(lengths: bytes, n_rows: int, n_samples: int) -> bool:
    """Return whether units of these lengths (little-endian int32) fill a source exactly."""
    return len(lengths) == 4 * n_rows and np.frombuffer(lengths, "<i4").sum() == n_samples


def _check_file(file: Path, content_hash: str) -> str | None:
    """Return the problem with an audio file, if any."""
    if not os.path.lexists(file):
        return "the file is gone; put it back, or run demiurge db build --prune"
    try:
        is_same = hash_file(file) == content_hash
    except OSError as error:
        return f"the file cannot be read ({error.strerror})"
    return None if is_same else "the file has changed since it was analysed; run demiurge db build"


def _repair(connection: sqlite3.Connection, path: Path, result: Verification) -> None:
    """Remove damaged sources from the manifest, and shorten its shards to what is on disk."""
    settings = read_settings(connection)
    names = sorted({name for name, _ in result.damaged})
    with transaction(connection):
        connection.executemany("DELETE FROM sources WHERE path = ?", [(name,) for name in names])
        for kind in row_kinds(settings):
            _shorten_shards(connection, path / "shards", kind, settings)
    write_normaliser(connection, path / "shards", settings)
    result.repaired = names


def _shorten_shards(
    connection: sqlite3.Connection, folder: Path, kind: str, settings: DescriptorSettings
) -> None:
    """Correct the manifest's row counts of shards that are shorter than committed."""
    n_columns = row_kinds(settings)[kind]
    for shard, n_rows in read_shard_rows(connection, kind).items():
        file = shard_path(folder, kind, shard)
        there = file.stat().st_size // (4 * n_columns) if file.exists() else 0
        connection.execute(
            f"UPDATE {SPAN_TABLES[kind][1]} SET n_rows = ? WHERE shard = ?",
            (min(n_rows, there), shard),
        )
