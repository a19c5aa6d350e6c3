"""Keep two processes from training in one folder."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from files.atomic import make_folder
from files.errors import ParameterError
from files.lock import locked

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
    busy = ParameterError(
        f"{folder} is being trained by another process; wait for it to end, or give another folder"
    )
    with ExitStack() as stack:
        stack.callback(_remove_if_empty, folder)  # after the lock is free
        stack.enter_context(locked(folder / LOCK_NAME, busy))
        stack.callback((folder / LOCK_NAME).unlink, missing_ok=True)  # nobody else waits for it
        yield


def _remove_if_empty(folder: Path) -> None:
    with suppress(OSError):
        folder.rmdir()  # nothing was saved
