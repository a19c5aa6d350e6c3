"""Names of files: those that are no text can be opened by few libraries, and kept in no database or
plan.
"""

from pathlib import Path

from files.errors import AudioError, DemiurgeError


def printable(name: str) -> str:
    """A file name as text: bytes that are not UTF-8 become \\udcNN escapes."""
    return name.encode("utf-8", "backslashreplace").decode()


def check_name(path: str | Path, error: type[DemiurgeError] = AudioError) -> None:
    """Raise `error` if a path holds bytes that are not UTF-8."""
    if printable(str(path)) != str(path):
        raise error(f"{printable(str(path))}: its name is not valid UTF-8; rename it")
