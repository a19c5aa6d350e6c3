"""Open files that others made: regular files only, of a stated largest size."""

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

from files.errors import DemiurgeError, system_reason
from files.names import printable
from files.system import advice_for

# another file would be refused as well: permissions, limits, the disk or the network
OF_THE_SYSTEM = frozenset(
    {
        *(errno.EACCES, errno.EPERM, errno.EMFILE, errno.ENFILE, errno.ENOMEM),
        *(errno.EIO, errno.ESTALE, errno.EBUSY),
    }
)
KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISSOCK, "a socket"),
)
# flags that Windows does not have
CLOSED_IN_CHILDREN = getattr(os, "O_CLOEXEC", 0)
NOT_WAITING = getattr(os, "O_NONBLOCK", 0)


def why_unreadable(path: str, reason: OSError) -> str:
    """Return that a file cannot be read, why, and what helps; a link to nothing is named as one."""
    said = f"cannot be read ({system_reason(reason)})"
    if os.path.islink(path) and not os.path.exists(path):
        return f"{said}: it links to {printable(os.readlink(path))}; mend or remove the link"
    return f"{said}; check the file and its permissions"


def open_regular(
    path: str | Path,
    *,
    error: type[DemiurgeError],
    remedy: str,
    max_bytes: int | None = None,
) -> BinaryIO:
    """Open a regular file to read its bytes; nothing else is waited for, or read.

    Raises
    ------
    error
        If the system refuses it, it is not a regular file, or it holds more than `max_bytes`.
    """
    try:
        # a named pipe without a writer would block
        handle = os.open(path, os.O_RDONLY | CLOSED_IN_CHILDREN | NOT_WAITING)
    except (OSError, ValueError) as reason:  # ValueError: a NUL in the name
        advice = _advice(reason, remedy)
        raise error(f"{path}: cannot be read ({system_reason(reason)}); {advice}") from reason
    try:
        _check(path, os.fstat(handle), error, remedy, max_bytes)
        return os.fdopen(handle, "rb")
    except BaseException:
        os.close(handle)
        raise


def check_regular(
    path: str | Path,
    *,
    error: type[DemiurgeError],
    remedy: str,
    max_bytes: int | None = None,
) -> None:
    """Check a file as `open_regular` does, for libraries that open files themselves."""
    open_regular(path, error=error, remedy=remedy, max_bytes=max_bytes).close()


def read_regular(
    path: str | Path, *, error: type[DemiurgeError], remedy: str, max_bytes: int
) -> bytes:
    """Return the bytes of a file that `open_regular` accepts."""
    with open_regular(path, error=error, remedy=remedy, max_bytes=max_bytes) as file:
        n_bytes = os.fstat(file.fileno()).st_size
        try:
            content = file.read(n_bytes + 1)
        except OSError as reason:
            advice = _advice(reason, remedy)
            raise error(f"{path}: cannot be read ({system_reason(reason)}); {advice}") from reason
    if len(content) > n_bytes:
        raise error(f"{path}: it grew while it was read; try again when it is complete")
    return content


def check_lock(path: Path, error: type[DemiurgeError]) -> None:
    """Refuse what has the name of a lock and is no regular file; a link is not followed.

    Raises
    ------
    error
    """
    try:
        status = path.lstat()
    except OSError:  # it is missing, or locking it will say why not
        return
    if not stat.S_ISREG(status.st_mode):
        raise error(
            f"{path} is not a regular file, so that it cannot be locked; remove it, then run the"
            " same command again"
        )


def is_missing(path: str | Path) -> bool:
    """Return whether there is nothing of a name; False if the system does not say."""
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except (OSError, ValueError):
        return False
    return False


def other_kind(status: os.stat_result) -> str | None:
    """Return what something is if it is no regular file, e.g. "a device"."""
    if stat.S_ISREG(status.st_mode):
        return None
    return next((kind for test, kind in KINDS if test(status.st_mode)), "of an unknown kind")


def _advice(reason: Exception, remedy: str) -> str:
    """Return the remedy if the file is at fault, otherwise what helps where the system is."""
    number = getattr(reason, "errno", None)
    return advice_for(reason) if number in OF_THE_SYSTEM else remedy


def _check(
    path: str | Path,
    status: os.stat_result,
    error: type[DemiurgeError],
    remedy: str,
    max_bytes: int | None,
) -> None:
    if kind := other_kind(status):
        raise error(f"{path}: {kind}, not a file; {remedy}")
    if max_bytes is not None and status.st_size > max_bytes:
        raise error(_too_large(path, status.st_size, max_bytes, remedy))


def _too_large(path: str | Path, n_bytes: int, max_bytes: int, remedy: str) -> str:
    return f"{path}: {n_bytes} bytes, the limit is {max_bytes}; {remedy}"
