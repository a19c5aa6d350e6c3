"""Locks that keep two processes from writing into one folder."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock

from files.atomic import cannot_write
from files.errors import DemiurgeError, ParameterError
from files.regular import check_lock


@contextmanager
def locked(
    path: Path, busy: DemiurgeError, remedy: str | None = None, *, wait: bool = False
) -> Iterator[None]:
    """Hold the lock of a file; the operating system frees it if the process dies.

    Parameters
    ----------
    busy : DemiurgeError
        Raised if another process holds it.
    remedy : str, optional
        What helps if the folder cannot be written, by default against the system's reason.
    wait : bool
        Wait until no other process holds it.

    Raises
    ------
    type(busy)
        If another process holds it, or something else has the name of its file.
    ParameterError
        If it cannot be written.
    """
    check_lock(path, type(busy))
    lock = filelock.FileLock(path, timeout=-1 if wait else 0)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise busy from None
    except (OSError, NotImplementedError) as error:
        raise ParameterError(cannot_write(path.parent, error, remedy)) from error
    try:
        yield
    finally:
        lock.release()
