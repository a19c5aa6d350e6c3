"""Open a database for writing, one writer at a time."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from db.manifest import (
    FILE_NAME,
    check_is_there,
    damaged,
    open_manifest,
)
from files.atomic import cannot_write, make_folder
from files.errors import DatabaseError, ParameterError
from files.lock import locked
from files.system import is_systems_fault

LOCK_NAME = "writer.lock"


@contextmanager
def writing(path: Path, *, create: bool = False) -> Iterator[sqlite3.Connection]:
    """Open the manifest of a database as its one writer.

    Parameters
    ----------
    create : bool
        Create the folder and the database if they do not exist.

    Raises
    ------
    ParameterError
        If `path` cannot be written or, with `create`, is a folder with other contents.
    DatabaseError
        If there is no database (without `create`), if it is damaged, of a newer version or being
        written by another process, or if the disk is full.
    """
    if create:
        _make_database_folder(path)
    else:
        check_is_there(path)
    with writer_lock(path):
        try:
            with closing(open_manifest(path, write=True)) as connection:
                yield connection
        except (OSError, sqlite3.DatabaseError) as error:
            if isinstance(error, sqlite3.DatabaseError) and not is_systems_fault(error):
                raise damaged(path, error) from error
            remedy = (
                "what was committed is kept: free some space or check permissions, then run the"
                " same command again"
            )
            raise DatabaseError(cannot_write(path, error, remedy)) from error


@contextmanager
def writer_lock(path: Path) -> Iterator[None]:
    """Hold the lock of the writer; the operating system frees it if the process dies.

    Raises
    ------
    DatabaseError
        If another process holds it, or something else has the name of its file.
    ParameterError
        If it cannot be written.
    """
    busy = DatabaseError(f"{path} is being written by another process; wait for it to end")
    with locked(path / LOCK_NAME, busy, "check its permissions"):
        yield


def _make_database_folder(path: Path) -> None:
    make_folder(path)
    if (path / FILE_NAME).exists():
        return
    if any(file.name != LOCK_NAME for file in path.iterdir()):
        raise ParameterError(
            f"{path}: the folder is not empty and holds no database; choose a new or empty folder"
        )
