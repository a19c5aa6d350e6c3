"""Write a file so that a reader, or a crash, sees the old content or the new, never a part."""

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from db.errors import ParameterError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # no space, none left of one's share, a file larger than allowed


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path` (same suffix); move it onto `path` if the block succeeds, else remove it.

    Raises
    ------
    ParameterError
        If the folder does not exist or cannot be written to, or the disk is full.
    """
    path = Path(path)
    if path.is_symlink():
        path = Path(os.path.realpath(path))  # the file it stands for, not the link
    if path.is_dir():
        raise ParameterError(f"{path} is a folder; give the name of a file")
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem[:20]}-", suffix=path.suffix)
    except OSError as error:
        raise ParameterError(f"{path}: cannot be written ({error.strerror}); choose a folder that you can write to") from error
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)  # mkstemp makes private files; the result is an ordinary one
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise ParameterError(
            f"{path}: cannot be written ({error.strerror}); free some space or choose another place"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)
