"""Open an audio file, and say what is wrong in the system's words and with advice that works."""

import errno
from pathlib import Path
from typing import BinaryIO

from files.errors import AudioError, system_reason
from files.names import check_name
from files.regular import open_regular

ADVICE = {
    errno.ENOENT: "check the name",
    errno.ENOTDIR: "check the name",
    errno.EACCES: "change its permissions, or those of its folder",
    errno.EPERM: "change its permissions, or those of its folder",
    errno.ENAMETOOLONG: "move it to a folder with a shorter path",
    errno.ELOOP: "repair the link",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
    errno.ENFILE: "close other programs",
}
OTHERWISE = "check the disk it lies on"


def open_file(path: Path) -> BinaryIO:
    """Open an audio file to read its bytes.

    Raises
    ------
    AudioError
        If the system refuses it, or if it is empty or no regular file.
    """
    check_name(path)
    try:
        status = path.stat()
    except (OSError, ValueError) as error:
        advice = ADVICE.get(getattr(error, "errno", 0) or 0, OTHERWISE)
        if isinstance(error, FileNotFoundError):
            raise AudioError(f"{path}: no such audio file; {advice}") from error
        raise AudioError(f"{path}: cannot be read ({system_reason(error)}); {advice}") from error
    file = open_regular(path, error=AudioError, remedy="give an audio file on disk")
    if status.st_size == 0:
        file.close()
        raise AudioError(f"{path.name}: 0 bytes; re-export the file or remove it")
    return file
