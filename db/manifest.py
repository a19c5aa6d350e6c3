"""The SQLite manifest: the sources of a database, and where their rows are in the shards."""

import os
import sqlite3
from pathlib import Path

from db.manifest_damage import find_damage, schema_damage
from db.manifest_rules import Damage
from db.migrations import MIGRATIONS
from db.model_folders import is_model_folder
from files.errors import DatabaseError
from files.names import quoted
from files.regular import other_kind
from files.remote import RemoteFolder
from files.roots import Folder, folder_of
from files.system import is_systems_fault

FILE_NAME = "manifest.sqlite"
OLDEST_READ = 3  # older versions must be migrated before they can be read
MOST_BYTES = 1 << 28  # of one value
# of SQLite's virtual machine; a check of all values takes 1 per byte
STEPS = 10_000_000
STEPS_PER_BYTE = 20
STEPS_AT_A_TIME = 100_000


def open_manifest(folder: Path, *, write: bool) -> sqlite3.Connection:
    """Open the manifest and check it, creating it or migrating it to this version if `write`.

    A connection for reading is in a transaction: it sees one moment, even while another process
    writes.

    Raises
    ------
    DatabaseError
        If it is missing, not a Demiurge database, damaged, or written by a newer version.
    sqlite3.OperationalError
        With `write`, if it cannot be written.
    """
    if not write:
        check_is_there(folder)
    connection = None
    try:
        connection = connect(folder, write=write)
        version = prepare(connection, folder, write=write)
        for damage in find_damage(connection, version):
            raise damaged(folder, damage)
        if write:
            connection.set_progress_handler(None, 0)  # a build may run for days
    except BaseException as error:
        if connection:
            connection.close()
        if isinstance(error, sqlite3.DatabaseError) and not (write and is_systems_fault(error)):
            raise cannot_use(folder, error) from error
        raise
    return connection


def check_is_there(folder: Path) -> None:
    """Raise a `DatabaseError` if there is no database in a folder."""
    if not (folder / FILE_NAME).exists():
        raise DatabaseError(f"{folder}: {_what_is_there(folder)}")


def _what_is_there(folder: Path) -> str:
    """Return what is in the place of a database, and what to do; only a free place can be used."""
    remedy = "give the folder of a database"
    if folder.exists() and not folder.is_dir():
        return f"a file, not a database; {remedy}"
    if is_model_folder(folder):
        return f"a model, not a database; {remedy}"
    missing = f"no database here (no {FILE_NAME})"
    if folder.is_dir() and any(folder.iterdir()):
        return f"{missing}, but other files; {remedy}"
    return f"{missing}; make one with: demiurge db build AUDIO_DIR {quoted(folder)}"


def connect(folder: Path, *, write: bool) -> sqlite3.Connection:
    """Connect to a manifest that anybody may have written; what it holds is not checked yet.

    Nothing in it runs by itself, and queries end after as many steps as its size allows.
    """
    path = folder / FILE_NAME
    n_bytes = 0
    for suffix in ("", "-wal", "-shm", "-journal"):  # SQLite opens them all, and a pipe blocks
        file = Path(f"{path}{suffix}")
        if os.path.lexists(file):
            status = file.stat()  # to open and close it would free SQLite's locks on it
            if kind := other_kind(status):
                raise DatabaseError(f"{file}: {kind}, not a file; restore the database from a copy")
            n_bytes += status.st_size
    try:
        connection = _connect_to_write(path) if write else _connect_to_read(path)
    except UnicodeDecodeError as error:  # of SQLite's message, which quotes the schema
        raise sqlite3.DatabaseError("its schema is not UTF-8 text") from error
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MOST_BYTES)
    _end_endless_queries(connection, n_bytes)
    return connection


def _connect_to_write(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")  # stays DELETE where WAL cannot work
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    return connection


def _connect_to_read(path: Path) -> sqlite3.Connection:
    address = f"{path.absolute().as_uri()}?mode=ro"
    try:
        connection = sqlite3.connect(address, uri=True, isolation_level=None)
        connection.execute("SELECT 1 FROM sqlite_master").fetchone()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY):
            raise
        # in a read-only folder WAL cannot write its files; an immutable manifest needs none
        connection = sqlite3.connect(f"{address}&immutable=1", uri=True, isolation_level=None)
    return connection


def _end_endless_queries(connection: sqlite3.Connection, n_bytes: int) -> None:
    """Let SQLite work for as long as an undamaged manifest of this size could need.

    Pages that name each other in circles could be read for ever.
    """
    left = (STEPS + STEPS_PER_BYTE * n_bytes) // STEPS_AT_A_TIME

    def is_enough() -> bool:
        nonlocal left
        left -= 1
        return left < 0

    connection.set_progress_handler(is_enough, STEPS_AT_A_TIME)


def prepare(connection: sqlite3.Connection, folder: Path, *, write: bool) -> int:
    """Check the tables of a manifest, and migrate it to this version if `write`.

    Returns its version then.
    """
    if not write:
        connection.execute("BEGIN")
    version = read_version(connection, folder)
    for damage in schema_damage(connection, version):
        raise damaged(folder, damage)
    if version < OLDEST_READ and not write:
        raise DatabaseError(
            f"{folder / FILE_NAME} is of version {version}, not {len(MIGRATIONS)}; run demiurge db"
            " build again to update it"
        )
    return migrate(connection, version) if write else version


def read_version(connection: sqlite3.Connection, folder: Path) -> int:
    """Return the version of a manifest.

    Raises
    ------
    DatabaseError
        If this Demiurge does not know it.
    """
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    newest = len(MIGRATIONS)
    if version > newest:
        raise DatabaseError(
            f"{folder / FILE_NAME} is of version {version}, but this Demiurge knows versions up to"
            f" {newest}; update Demiurge"
        )
    if version < 0:
        raise DatabaseError(
            f"{folder / FILE_NAME} is of version {version}, which no Demiurge writes; restore it"
            " from a copy"
        )
    return version


def migrate(connection: sqlite3.Connection, version: int) -> int:
    """Bring the tables of a manifest from a version to the newest, which is returned."""
    for number, migration in enumerate(MIGRATIONS[version:], start=version + 1):
        connection.execute("BEGIN IMMEDIATE")
        migration(connection)
        connection.execute(f"PRAGMA user_version = {number}")
        connection.execute("COMMIT")
    return len(MIGRATIONS)


def cannot_use(folder: Path, error: sqlite3.Error) -> DatabaseError:
    """Return the error of a manifest that SQLite does not read."""
    if is_systems_fault(error):
        return DatabaseError(
            f"{folder / FILE_NAME}: cannot be read ({error}); check the disk and its permissions,"
            " then run the same command again"
        )
    return damaged(folder, error)


def damaged(folder: Path, problem: Damage | sqlite3.Error) -> DatabaseError:
    """Return the error of a damaged manifest."""
    path = folder / FILE_NAME
    name = getattr(problem, "sqlite_errorname", "")
    if name == "SQLITE_NOTADB" or getattr(problem, "is_fatal", False):
        return DatabaseError(
            f"{path}: not a readable Demiurge manifest ({problem}); restore a copy, or build"
            " another database in a new folder"
        )
    text = "reading it does not end" if name == "SQLITE_INTERRUPT" else str(problem)
    return DatabaseError(
        f"{path}: {text}; the manifest is damaged: run demiurge db verify --repair"
        f" {quoted(folder)}, or restore a copy"
    )


def never_built(folder: Path) -> DatabaseError:
    """Return the error of a manifest that holds nothing."""
    return DatabaseError(
        f"{folder} holds nothing: its first build never began; run demiurge db build again"
    )


def root_entries(path: Path, root: Folder) -> dict[str, str]:
    """Return the configuration's entries for the corpus folder.

    They hold its absolute path, and its path relative to the database, in case both move together;
    of a folder in object storage, its URL.
    """
    if isinstance(root, RemoteFolder):
        return {"root": root.url}
    return {
        "root": str(root),
        "root_from_database": os.path.relpath(root.resolve(), path.resolve()),
    }


def find_root(path: Path, config: dict[str, str]) -> Folder:
    """Return the corpus folder of a database.

    It is where it was at the last build; or, if that folder is gone, at the same place relative to
    the database.
    """
    root = folder_of(config["root"])
    relative = config.get("root_from_database")
    if isinstance(root, RemoteFolder):
        return root
    if not os.path.isdir(root) and relative and os.path.isdir(path / relative):
        return (path / relative).resolve()
    return root
