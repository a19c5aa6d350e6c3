"""Temporary files and folders beside what they are for.

Those that a killed program leaves are removed by the next that makes one in the same folder. A
lock tells which are in use; the system frees it with the program, however that ends.
"""

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from files.in_use import remove_unused

try:
    import fcntl
except ImportError:  # Windows, where what is open cannot be removed
    fcntl = None  # type: ignore[assignment]

MARK = ".demiurge-"
NAME = re.compile(r"\..*\.demiurge-[a-z0-9_]{8}(\.[^.]*)?", re.DOTALL)

_cleaned: set[Path] = set()


@contextmanager
def temporary_file(folder: Path, *, name: str = "", suffix: str = "") -> Iterator[Path]:
    """Yield the path of a new file in a folder; it is removed if it is still there at the end.

    Raises
    ------
    OSError
    """
    _remove_abandoned(folder)
    while True:
        handle, path = tempfile.mkstemp(dir=folder, prefix=f".{name}{MARK}", suffix=suffix)
        if _lock(handle):
            break
        os.close(handle)
    try:
        if fcntl is None:
            os.close(handle)
        yield Path(path)
    finally:
        Path(path).unlink(missing_ok=True)
        if fcntl is not None:
            os.close(handle)


@contextmanager
def temporary_folder(folder: Path) -> Iterator[Path]:
    """Yield the path of a new folder in a folder; it is removed at the end.

    Raises
    ------
    OSError
    """
    _remove_abandoned(folder)
    with tempfile.TemporaryDirectory(dir=folder, prefix=f".{MARK}") as made:
        if fcntl is None:
            yield Path(made)
            return
        handle = os.open(made, os.O_RDONLY)
        try:
            _lock(handle)
            yield Path(made)
        finally:
            os.close(handle)


def _remove_abandoned(folder: Path) -> None:
    """Remove what killed programs left in a folder, once in a program's life."""
    folder = folder.absolute()
    if folder in _cleaned:
        return
    _cleaned.add(folder)
    try:
        names = os.listdir(folder)
    except PermissionError:  # it may be written all the same
        return
    for name in filter(NAME.fullmatch, names):
        with suppress(OSError):  # another program's, or removed by one
            remove_unused(folder / name)


def _lock(handle: int) -> bool:
    """Say that a new file or folder is in use; return whether it is still there."""
    if fcntl is not None:
        with suppress(OSError):  # a file system without locks: nothing is ever removed there
            fcntl.flock(handle, fcntl.LOCK_EX)
    return os.fstat(handle).st_nlink > 0
