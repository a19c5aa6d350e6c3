"""What the operating system refuses, told in one line: the path, its reason, and what helps."""

import errno
import os

from files.names import printable

SHOWN_CHARACTERS = 200  # of a path
LACK_OF_SPACE = "free some space or choose another place"
NO_PERMISSION = (
    "change the permissions of it and of the folders on the way to it, or choose another place"
)
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
OTHERWISE = "check the file and the disk that it is on"


def system_message(error: OSError) -> str:
    """Return one line: the path that an error is about, the system's reason, and what helps."""
    reason = error.strerror or str(error) or type(error).__name__
    advice = ADVICE.get(error.errno or 0, OTHERWISE)
    path = named_path(error)
    return f"{path}: {reason}; {advice}" if path else f"{reason}; {advice}"


def memory_message(error: MemoryError) -> str:
    """Return one line that says how much memory was asked for, if the error knows, and advice."""
    reason = f"there is not enough memory ({error})" if str(error) else "there is not enough memory"
    return f"{reason}; {ADVICE[errno.ENOMEM]}"


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
