"""The SQLite manifest: the sources of a database, and where their rows are in the shards."""

import os
import sqlite3
from pathlib import Path

from db.migrations import MIGRATIONS
from db.settings import DescriptorSettings
from files.errors import DatabaseError
from files.names import quoted

FILE_NAME = "manifest.sqlite"
# kind of rows -> its tables: where each source's rows are; how long each shard is
SPAN_TABLES = {
    "frames": ("spans", "shards"),
    "units": ("unit_spans", "unit_shards"),
}


def row_kinds(settings: DescriptorSettings) -> dict[str, int]:
    """Return the number of columns of each kind of rows that a database keeps."""
    frames = {"frames": len(settings.frame_names)}
    return frames if settings.units == "frame" else frames | {"units": settings.n_descriptors}


def unit_row_kind(settings: DescriptorSettings) -> str:
    """Return the kind of rows that describes units: the frames, or rows of their own."""
    return "frames" if settings.units == "frame" else "units"


def open_manifest(folder: Path, *, write: bool) -> sqlite3.Connection:
    """Open the manifest, creating it (`write` only) or migrating it to this version.

    Raises
    ------
    DatabaseError
        If it is missing, not a Demiurge database, damaged, or written by a newer version.
    sqlite3.OperationalError
        With `write`, if it cannot be written.
    """
    path = folder / FILE_NAME
    if not write and not path.is_file():
        raise DatabaseError(
            f"{folder}: no database here (no {FILE_NAME}); make one with: demiurge db build"
            f" AUDIO_DIR {quoted(folder)}"
        )
    try:
        connection = _connect(path, write=write)
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        _check_version(connection, folder, version, write=write)
        if write:
            _migrate(connection, version)
    except sqlite3.DatabaseError as error:
        if write and isinstance(error, sqlite3.OperationalError):
            raise  # the disk is at fault, not the file; `db.write_lock.writing` reports it
        raise DatabaseError(
            f"{path}: not a readable Demiurge manifest ({error}); restore it from a copy or build"
            " again"
        ) from error
    return connection


def _check_version(
    connection: sqlite3.Connection, folder: Path, version: int, *, write: bool
) -> None:
    """Close the connection and raise a `DatabaseError` if the manifest cannot be used."""
    path = folder / FILE_NAME
    newest = len(MIGRATIONS)
    if version > newest:
        connection.close()
        raise DatabaseError(
            f"{path} is of version {version}, but this Demiurge knows versions up to {newest};"
            " update Demiurge"
        )
    if version < newest and not write:
        connection.close()
        raise DatabaseError(
            f"{path} is of version {version}, not {newest}; run demiurge db build again to update"
            " it"
        )


def _connect(path: Path, *, write: bool) -> sqlite3.Connection:
    if write:
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")  # stays DELETE where WAL cannot work
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        return connection
    address = f"{path.absolute().as_uri()}?mode=ro"
    try:
        connection = sqlite3.connect(address, uri=True, isolation_level=None)
        connection.execute("SELECT 1 FROM sqlite_master").fetchone()
    except sqlite3.OperationalError:
        # in a read-only folder WAL cannot write its files; an immutable manifest needs none
        connection = sqlite3.connect(f"{address}&immutable=1", uri=True, isolation_level=None)
    return connection


def _migrate(connection: sqlite3.Connection, version: int) -> None:
    for number, migration in enumerate(MIGRATIONS[version:], start=version + 1):
        connection.execute("BEGIN IMMEDIATE")
        migration(connection)
        connection.execute(f"PRAGMA user_version = {number}")
        connection.execute("COMMIT")


def root_entries(path: Path, root: Path) -> dict[str, str]:
    """Return the configuration's entries for the corpus folder.

    They hold its absolute path, and its path relative to the database, in case both move together.
    """
    return {
        "root": str(root),
        "root_from_database": os.path.relpath(root.resolve(), path.resolve()),
    }


def find_root(path: Path, config: dict[str, str]) -> Path:
    """Return the corpus folder of a database.

    It is where it was at the last build; or, if that folder is gone, at the same place relative to
    the database.
    """
    root = Path(config["root"])
    relative = config.get("root_from_database")
    if not root.is_dir() and relative and (path / relative).is_dir():
        return (path / relative).resolve()
    return root
