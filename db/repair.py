"""Repair a damaged manifest: what can be used is kept, in a new one that takes its place."""

import os
import sqlite3
import uuid
from contextlib import closing, suppress
from pathlib import Path

from db.manifest import (
    FILE_NAME,
    OLDEST_READ,
    cannot_use,
    check_is_there,
    connect,
    migrate,
    read_version,
    root_entries,
)
from db.manifest_damage import find_damage, schema_damage
from db.manifest_reading import read_shard_rows
from db.manifest_rows import stored_settings
from db.manifest_rules import KEYS, Damage
from db.row_kinds import SPAN_TABLES, row_kinds
from db.schema import make_tables, read_schema, schema_of_version
from db.settings import DescriptorSettings
from db.shards import file_problem, find_shards, rows_per_shard
from db.transaction import transaction
from files.errors import DatabaseError, DemiurgeError
from files.roots import Folder
from files.system import is_systems_fault

NEW_NAME = "manifest.new.sqlite"
ALL = 1 << 62
BROKEN_SHOWN = 10


def list_damage(folder: Path) -> list[Damage]:
    """Return what is wrong with the manifest of a database, row by row.

    Raises
    ------
    DatabaseError
        If there is none, it is of another version, or the system does not let it be read.
    """
    check_is_there(folder)
    try:
        with closing(connect(folder, write=False)) as connection:
            version = read_version(connection, folder)
            if found := schema_damage(connection, version):
                return found
            if version < OLDEST_READ:  # opening it for writing will migrate it, and check it then
                return []
            return _broken_pages(connection) or list(find_damage(connection, version))
    except sqlite3.DatabaseError as error:
        if is_systems_fault(error):
            raise cannot_use(folder, error) from error
        return [Damage("", (), str(error))]


def _broken_pages(connection: sqlite3.Connection) -> list[Damage]:
    rows = connection.execute(f"PRAGMA integrity_check({BROKEN_SHOWN})").fetchall()
    lines = [line for (text,) in rows for line in text.splitlines()]
    return [Damage("", (), line) for line in lines if line != "ok" and not line.startswith("***")]


def replace_manifest(folder: Path, root: Folder | None) -> list[Damage]:
    """Write a new manifest with all rows that can be used, in place of a damaged one.

    The caller holds the writer's lock. The rows that were left out are returned; those that could
    not be read at all are not among them.

    Parameters
    ----------
    root : path or RemoteFolder, optional
        The corpus folder; needed if the manifest does not name it any more.

    Raises
    ------
    DatabaseError
        If nothing of it can be read, its settings are lost, or its corpus folder and `root` is not
        given.
    """
    new_path = folder / NEW_NAME
    new_path.unlink(missing_ok=True)
    try:
        with closing(connect(folder, write=False)) as old:
            version = read_version(old, folder)
            with closing(make_tables(str(new_path), version)) as new:
                new.execute("PRAGMA foreign_keys = ON")
                with transaction(new):
                    _copy_tables(old, new, version)
                version = migrate(new, version)
                with transaction(new):
                    removed = _restore(new, version, folder, root)
        for suffix in ("-wal", "-shm", "-journal"):  # they belong to the old one
            Path(f"{folder / FILE_NAME}{suffix}").unlink(missing_ok=True)
        os.replace(new_path, folder / FILE_NAME)
        return removed
    except sqlite3.DatabaseError as error:
        if is_systems_fault(error):
            raise cannot_use(folder, error) from error
        raise _beyond_repair(folder, str(error)) from error
    finally:
        new_path.unlink(missing_ok=True)


def _beyond_repair(folder: Path, reason: str) -> DatabaseError:
    return DatabaseError(
        f"{folder / FILE_NAME}: {reason}, so that it cannot be repaired; restore a copy, or build"
        " another database in a new folder"
    )


def _copy_tables(old: sqlite3.Connection, new: sqlite3.Connection, version: int) -> None:
    """Copy the rows of all tables that are what they should be, as far as they can be read."""
    old.text_factory = _text_or_nothing
    with suppress(sqlite3.DatabaseError):
        found = read_schema(old)
        for (kind, table), sql in schema_of_version(version).items():
            if kind == "table" and found.get((kind, table)) == sql:
                _copy_rows(old, new, table, KEYS[table][0])


def _text_or_nothing(data: bytes) -> str | None:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None


def _copy_rows(
    old: sqlite3.Connection, new: sqlite3.Connection, table: str, key: tuple[str, ...]
) -> None:
    condition = " AND ".join(f"{name} = ?" for name in key)
    keys = old.execute(f"SELECT {', '.join(key)} FROM {table}")
    with suppress(sqlite3.DatabaseError):  # the rest of the table is lost
        for values in keys:
            with suppress(sqlite3.DatabaseError):  # this row is lost
                query = f"SELECT * FROM {table} WHERE {condition}"
                row = old.execute(query, values).fetchone() or ()
                places = ", ".join("?" * len(row))
                new.execute(f"INSERT OR IGNORE INTO {table} VALUES ({places})", row)


def _restore(
    new: sqlite3.Connection, version: int, folder: Path, root: Folder | None
) -> list[Damage]:
    """Remove the rows that do not fit, and restore what can be found in other ways.

    Returns what was wrong with the rows that were removed.
    """
    removed = _remove_damaged(new, version)
    settings = _restore_config(new, folder, root)
    for kind in row_kinds(settings):
        restore_shards(new, folder / "shards", kind, settings)
    return removed + _remove_damaged(new, version)


def _remove_damaged(new: sqlite3.Connection, version: int) -> list[Damage]:
    """Remove damaged rows until the others fit each other, and return what was wrong."""
    removed = []
    while found := [damage for damage in find_damage(new, version, most=ALL) if damage.key]:
        for damage in found:
            condition = " AND ".join(f"{name} = ?" for name in KEYS[damage.table][0])
            new.execute(f"DELETE FROM {damage.table} WHERE {condition}", damage.key)
        removed += found
    return removed


def _restore_config(
    new: sqlite3.Connection, folder: Path, root: Folder | None
) -> DescriptorSettings:
    config = dict(new.execute("SELECT key, value FROM config"))
    try:
        settings = stored_settings(config)
    except (ValueError, DemiurgeError) as error:
        raise _beyond_repair(folder, "its settings are lost") from error
    added = {}
    if not config.get("id"):
        added["id"] = uuid.uuid4().hex
    if not config.get("root"):
        beside = folder / config.get("root_from_database", "")
        if root is None and ("root_from_database" not in config or not beside.is_dir()):
            raise DatabaseError(
                f"{folder / FILE_NAME}: its corpus folder is lost; name it with --root FOLDER"
            )
        added |= root_entries(folder, (root or beside).absolute())
    new.executemany("INSERT OR REPLACE INTO config VALUES (?, ?)", added.items())
    return settings


def restore_shards(
    connection: sqlite3.Connection, folder: Path, kind: str, settings: DescriptorSettings
) -> None:
    """Make a manifest's row counts of shards agree with the files that are there.

    Parameters
    ----------
    folder : Path
        The folder of the shards.
    """
    _, table = SPAN_TABLES[kind]
    n_columns = row_kinds(settings)[kind]
    committed = read_shard_rows(connection, kind)
    files = find_shards(folder, kind)
    rows = {}
    for shard in committed.keys() | files.keys():
        there = 0
        if shard in files and file_problem(files[shard], 0) is None:
            there = files[shard].stat().st_size // (4 * n_columns)
        rows[shard] = min(committed.get(shard, there), there, rows_per_shard(n_columns))
    connection.executemany(f"INSERT OR REPLACE INTO {table} VALUES (?, ?)", rows.items())
