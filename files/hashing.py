"""Content hashes of files."""

import errno
import hashlib
import os
from pathlib import Path

import xxhash


def hash_file(path: str | Path) -> str:
    """Return XXH3-128 of a file's bytes, 32 hex digits.

    Raises
    ------
    OSError
        If it cannot be read, or is no regular file.
    """
    if os.path.exists(path) and not os.path.isfile(path):  # reading a pipe would wait for ever
        raise OSError(errno.EINVAL, "it is no regular file")
    with open(path, "rb") as file:
        return hashlib.file_digest(file, xxhash.xxh3_128).hexdigest()  # type: ignore[arg-type]
