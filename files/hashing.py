"""Content hashes of files."""

import errno
import hashlib
import os
from pathlib import Path

import xxhash


def hash_file(path: str | Path) -> str:
    """Return the XXH3-128 hash of a file's bytes, as 32 hex digits.

    Raises
    ------
    OSError
        If it cannot be read, or is not a regular file.
    """
    if os.path.exists(path) and not os.path.isfile(path):  # a pipe could block forever
        raise OSError(errno.EINVAL, "it is not a regular file")
    with open(path, "rb") as file:
        return hashlib.file_digest(file, xxhash.xxh3_128).hexdigest()  # type: ignore[arg-type]
