"""The configuration of a database: its id, settings and corpus folder."""

import json
import os
import sqlite3
import uuid
from pathlib import Path

from db.manifest import FILE_NAME, find_root, root_entries
from db.manifest_reading import read_config
from db.manifest_rows import stored_settings
from db.settings import DescriptorSettings
from db.transaction import transaction
from db.write_lock import writing
from files.errors import DatabaseError
from files.roots import Folder


def settings_of_database(path: Path) -> DescriptorSettings | None:
    """Return the settings of a database, which is brought to this version.

    They are None if there is no database yet, or if its first build was ended before it began.

    Raises
    ------
    DatabaseError
        If it is damaged, of a newer version, being written by another process, or cannot be
        written.
    """
    if not (path / FILE_NAME).exists():
        return None
    with writing(path) as connection:
        config = read_config(connection)
    return stored_settings(config) if config else None


def configure(
    connection: sqlite3.Connection,
    path: Path,
    root: Folder,
    settings: DescriptorSettings | None,
    *,
    moved: bool,
) -> DescriptorSettings:
    """Write the configuration of a new database, or check that of an existing one.

    Parameters
    ----------
    connection : sqlite3.Connection
        To the database in folder `path`.
    root : Path or RemoteFolder
        The corpus folder.
    settings : DescriptorSettings, optional
        By default the database's own settings, or the class's defaults for a new database.
    moved : bool
        Accept `root` even if the database's current corpus folder still exists.

    Returns
    -------
    DescriptorSettings

    Raises
    ------
    DatabaseError
        If the database has other settings or another corpus folder.
    """
    config = read_config(connection)
    if not config:
        settings = settings or DescriptorSettings()
        config = {"id": uuid.uuid4().hex, "descriptors": json.dumps(settings.to_dict())}
        _write(connection, config | root_entries(path, root))
        return settings
    stored = stored_settings(config)
    if settings is not None:
        stored.check_matches(settings, mine=f"the database {path}", theirs="what was asked for")
    if not moved:
        _check_root(path, find_root(path, config), root)
    changed = root_entries(path, root)
    if settings is not None and settings.to_dict() != stored.to_dict():  # a model has moved
        changed["descriptors"] = json.dumps(settings.to_dict())
        stored = settings
    _write(connection, changed)
    return stored


def _check_root(path: Path, current: Folder, root: Folder) -> None:
    if not _is_gone(current) and not _is_same(current, root):
        raise DatabaseError(
            f"{path} was built from {current}, not {root}; give that folder, build another"
            " database, or say --moved if the corpus is here now"
        )


def _is_gone(current: Folder) -> bool:
    """Return whether a folder on disk is gone; whether one in object storage is, is not known."""
    return isinstance(current, Path) and not os.path.isdir(current)


def _is_same(current: Folder, root: Folder) -> bool:
    if isinstance(current, Path) and isinstance(root, Path):
        return os.path.samefile(current, root)
    return current == root


def _write(connection: sqlite3.Connection, config: dict[str, str]) -> None:
    with transaction(connection):
        connection.executemany("INSERT OR REPLACE INTO config VALUES (?, ?)", config.items())
