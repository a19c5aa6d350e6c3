"""Files in use: locks that the system frees with the program, however that ends."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows, where what is open cannot be removed
    fcntl = None  # type: ignore[assignment]


@contextmanager
def in_use(path: Path) -> Iterator[None]:
    """Keep other programs from removing a file with `remove_unused`.

    Raises
    ------
    FileNotFoundError
        If it is not there, or was just removed.
    """
    handle = os.open(path, os.O_RDONLY)
    try:
        lock_shared(handle)
        if os.fstat(handle).st_nlink == 0:
            raise FileNotFoundError(path)
        yield
    finally:
        os.close(handle)


def lock_shared(handle: int) -> None:
    """Hold a lock that others may hold as well; nothing happens where there are no locks."""
    if fcntl is not None:
        fcntl.flock(handle, fcntl.LOCK_SH)


def remove_unused(path: Path) -> None:
    """Remove a file or folder; raise an `OSError` if it is in use."""
    handle = os.open(path, os.O_RDONLY)
    try:
        if fcntl is not None:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    finally:
        os.close(handle)
