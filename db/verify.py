"""Verify every row, unit and audio file of a database, and repair it."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from db.band_upkeep import verify_bands
from db.manifest import find_root, open_manifest
from db.manifest_reading import read_config, read_normaliser, read_settings
from db.manifest_rules import Damage
from db.repair import list_damage, replace_manifest, restore_shards
from db.row_kinds import SPAN_TABLES, row_kinds, unit_row_kind
from db.shards import checksum, file_problem, read_rows, remove_impostors, shard_path
from db.transaction import transaction
from db.update_normaliser import write_normaliser
from db.write_lock import writer_lock, writing
from files.errors import DatabaseError, system_reason
from files.hashing import hash_file
from files.names import quoted
from files.progress import Progress, no_progress
from files.remote_errors import FetchError
from files.roots import Folder, Roots, folder_of


@dataclass
class Verification:
    """The result of `verify`.

    A problem is a pair: the path of a source, or a part of the database; and the description.
    """

    sources: int = 0
    rows: int = 0
    dead_rows: int = 0  # of sources that changed or were removed; `compact` frees them
    damaged: list[tuple[str, str]] = field(default_factory=list)  # in the database
    bands: list[tuple[str, str]] = field(default_factory=list)  # kept spectra
    files: list[tuple[str, str]] = field(default_factory=list)  # in the corpus folder
    repaired: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not (self.damaged or self.bands or self.files)


def verify(
    path: str | Path,
    *,
    root: str | Folder | None = None,
    check_files: bool = True,
    repair: bool = False,
    progress: Progress = no_progress,
) -> Verification:
    """Check rows against checksums, units against their sources, audio files against their hashes.

    Kept spectra are checked as well.

    Parameters
    ----------
    root : path, optional
        The corpus folder, if it has moved.
    check_files : bool
        Read the audio files too.
    repair : bool
        Remove what is damaged from the database, so that the next build analyses it again. It also
        looks again at the files that have changed without a sign in their dates.

    Raises
    ------
    DatabaseError
        If there is no database, it cannot be repaired, or `root` is no folder.
    """
    path = Path(path)
    damage = _told(list_damage(path))
    if not repair:
        if damage:  # what it says of rows and files cannot be trusted
            return Verification(damaged=damage)
        with closing(open_manifest(path, write=False)) as connection:
            result = _Verifier(connection, path, repair=False).run(root, check_files, progress)
        result.bands = verify_bands(path, repair=False)
        return result
    if damage:
        with writer_lock(path):
            removed = replace_manifest(path, folder_of(root) if root else None)
        damage = list(dict.fromkeys(damage + _told(removed)))
    with writing(path) as connection:
        result = _Verifier(connection, path, repair=True).run(root, check_files, progress)
        result.damaged = damage + result.damaged
        for kind in row_kinds(read_settings(connection, path)):
            remove_impostors(path / "shards", kind)
        if result.damaged or result.files:
            _repair(connection, path, result)
    result.bands = verify_bands(path, repair=True)
    return result


def _told(damage: list[Damage]) -> list[tuple[str, str]]:
    return [(found.place, found.problem) for found in damage]


class _VerifiedSource(NamedTuple):
    id: int
    path: str
    content_hash: str
    n_bytes: int
    mtime_ns: int
    n_samples: int


class _Verifier:
    """One run of `verify`."""

    def __init__(self, connection: sqlite3.Connection, path: Path, *, repair: bool) -> None:
        self._connection = connection
        self._path = path
        self._repair = repair
        self._settings = read_settings(connection, path)
        self._result = Verification()

    def run(self, root: str | Folder | None, check_files: bool, progress: Progress) -> Verification:
        result = self._result
        roots = Roots.of(self._find_folder(root) if check_files else "")
        sources = self._read_sources()
        result.sources = len(sources)
        if check_files and roots.missing():
            gone = "the corpus folder is gone; mount its disk, or name its new place with --root"
            result.files.append((str(roots), gone))
            check_files = False
        if check_files:
            roots.look_up(source.path for source in sources)
        for done, source in enumerate(sources, start=1):
            if damage := self._check_rows(source):
                result.damaged.append((source.path, damage))
            if check_files and (problem := self._check_file(roots, source)):
                result.files.append((source.path, problem))
            progress(done, len(sources), source.path)
        self._check_units()
        return result

    def _find_folder(self, root: str | Folder | None) -> Folder:
        if root is None:
            return find_root(self._path, read_config(self._connection))
        folder = folder_of(root)
        if isinstance(folder, Path) and not folder.is_dir():
            raise DatabaseError(
                f"{root}: no such folder; give the corpus folder of {self._path} as root"
            )
        return folder

    def _read_sources(self) -> list[_VerifiedSource]:
        query = (
            "SELECT id, path, content_hash, n_bytes, mtime_ns, n_samples FROM sources"
            " WHERE state = 'ok' ORDER BY path"
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
            if (missing := file_problem(file, 0)) is not None:
                return f"{file.name} {missing}"
            rows = read_rows(file, first, n_rows, n_columns)
            self._result.rows += len(rows)
            if len(rows) < n_rows:
                return f"{file.name} is cut short: only {len(rows)} of {n_rows} {kind} are there"
            if checksum(rows) != crc:
                return f"its {kind} in {file.name} do not agree with their checksum"
            if lengths and not _tile(lengths[0], n_rows, source.n_samples):
                return "its units do not tile it"
        return None

    def _check_file(self, roots: Roots, source: _VerifiedSource) -> str | None:
        """Return the problem with an audio file, if any."""
        try:
            is_same = hash_file(roots.file_of(source.path)) == source.content_hash
            return None if is_same else self._change(roots.stamp_of(source.path), source)
        except FetchError as error:
            return error.reason
        except (FileNotFoundError, NotADirectoryError):
            return "the file is gone; put it back, or run demiurge db build --prune"
        except OSError as error:
            reason = system_reason(error)
            return f"the file cannot be read ({reason}); check its permissions and its disk"

    def _change(self, stamp: tuple[int, int] | None, source: _VerifiedSource) -> str:
        """Return what to do about a file that has changed, and has this size and date now."""
        problem = "the file has changed since it was analysed"
        if self._repair:
            return f"{problem}; the next demiurge db build reads it again"
        if stamp != (source.n_bytes, source.mtime_ns):
            return f"{problem}; run demiurge db build"
        repair = f"demiurge db verify --repair {quoted(self._path)}"
        return f"{problem}, but not its size and date; run {repair}, then demiurge db build"

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
    samples = np.frombuffer(lengths, "<i4")
    return len(samples) == n_rows and samples.min() > 0 and samples.sum() == n_samples


def _repair(connection: sqlite3.Connection, path: Path, result: Verification) -> None:
    """Remove damaged sources, and shorten the manifest's shards to what is on disk.

    The next build reads the files again that have changed, whatever their dates say.
    """
    settings = read_settings(connection, path)
    names = sorted({name for name, _ in result.damaged})
    changed = [(name,) for name, _ in result.files]
    with transaction(connection):
        connection.executemany("DELETE FROM sources WHERE path = ?", [(name,) for name in names])
        connection.executemany("UPDATE sources SET n_bytes = -1 WHERE path = ?", changed)
        for kind in row_kinds(settings):
            restore_shards(connection, path / "shards", kind, settings)
    if names:
        write_normaliser(connection, path / "shards", settings)
    result.repaired = names
