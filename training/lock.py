"""Keep two processes from training in one folder."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import filelock

from files.atomic import cannot_write, make_folder
from files.errors import ParameterError
from files.regular import check_lock

LOCK_NAME = "training.lock"


@contextmanager
def training_lock(folder: Path) -> Iterator[None]:
    """Hold the lock of the training; the operating system frees it if the process dies.

    Raises
    ------
    ParameterError
        If another process holds it, something else has the name of its file, or the folder cannot
        be written.
    """
    make_folder(folder)
    check_lock(folder / LOCK_NAME, ParameterError)
    lock = filelock.FileLock(folder / LOCK_NAME, timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise ParameterError(
            f"{folder} is being trained by another process; wait for it to end, or give another"
            " folder"
        ) from None
    except (OSError, NotImplementedError) as error:
        raise ParameterError(cannot_write(folder, error)) from error
    try:
        yield
    finally:
        (folder / LOCK_NAME).unlink(missing_ok=True)  # while it is held: nobody else waits for it
        lock.release()
        with suppress(OSError):
            folder.rmdir()  # if it is empty: nothing was saved
