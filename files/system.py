"""What the system refuses, told in one line: the path, its reason, and what helps.

It refuses files, memory and, through SQLite, databases.
"""

import errno
import os
import sqlite3

from files.errors import system_reason
from files.names import printable

SHOWN_CHARACTERS = 200  # of a path
LACK_OF_SPACE = "free some space or choose another place"
NO_PERMISSION = "change the permissions of it or of the folders on the way to it"
ADVICE = {
    errno.EACCES: NO_PERMISSION,
    errno.EPERM: NO_PERMISSION,
    errno.EROFS: "choose a place that can be written to",
    errno.ENOENT: "check the name and the folders on the way to it",
    errno.ENOTDIR: "a part of the path is a file where a folder is needed; check the name",
    errno.EISDIR: "give the name of a file",
    errno.EEXIST: "give another name, or remove what is there",
    errno.ENOTEMPTY: "give another name, or remove what is there",
    errno.ENAMETOOLONG: "use shorter names for the file and its folders",
    errno.ELOOP: "its symbolic links lead in a circle; remove one of them",
    errno.ENOSPC: LACK_OF_SPACE,
    errno.EDQUOT: LACK_OF_SPACE,
    errno.EFBIG: "raise the limit of ulimit -f, or choose a disk that holds files of this size",
    errno.EMFILE: "raise the limit of ulimit -n, or ask for less at a time",
    errno.ENFILE: "end other programs, or ask for less at a time",
    errno.ENOMEM: "end other programs, or ask for less at a time",
    errno.EIO: "check the disk or the connection to it",
    errno.ESTALE: "check the connection to the disk",
    errno.EBUSY: "wait until no other program uses it",
    errno.EINVAL: "check the name",
}
SQLITE_ADVICE = "free some space, or check the permissions of its folder"
OTHERWISE = "check the file and the disk that it is on"


# what the errors of this module are, beside SQLite's
SYSTEM_ERRORS = (OSError, MemoryError)
SYSTEM_CODES = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_READONLY,
    }
)


def error_message(error: Exception) -> str:
    """Return what to tell of an error; of one of `SYSTEM_ERRORS` or SQLite's, with advice."""
    if isinstance(error, OSError):
        return system_message(error)
    if isinstance(error, MemoryError):
        detail = f" ({error})" if str(error) else ""
        return f"there is not enough memory{detail}; {ADVICE[errno.ENOMEM]}"
    if isinstance(error, sqlite3.Error):
        return f"a database: {error}; {SQLITE_ADVICE}"
    return str(error)


def is_systems_fault(error: sqlite3.Error) -> bool:
    """Return whether the disk, permissions, memory or another process is at fault."""
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF in SYSTEM_CODES


def system_message(error: OSError) -> str:
    """Return one line: the path that an error is about, the system's reason, and what helps."""
    reason = system_reason(error) or type(error).__name__
    path = named_path(error)
    return f"{path}: {reason}; {advice_for(error)}" if path else f"{reason}; {advice_for(error)}"


def advice_for(error: Exception) -> str:
    """Return what helps where the system refused something."""
    return ADVICE.get(getattr(error, "errno", None) or 0, OTHERWISE)


def named_path(error: OSError) -> str:
    """Return the path of an error, shortened and fit to show; "" if it names none."""
    if not isinstance(error.filename, str | bytes):  # it may be a descriptor
        return ""
    return shortened(printable(os.fsdecode(error.filename)))


def shortened(text: str) -> str:
    """Return a long path without its middle."""
    if len(text) <= SHOWN_CHARACTERS:
        return text
    half = SHOWN_CHARACTERS // 2
    return f"{text[:half]}…{text[-half:]}"
