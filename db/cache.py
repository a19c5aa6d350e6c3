"""Where things are kept that can be made again: decoded audio, mel spectrograms."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from db.errors import ParameterError

FOLDER_VARIABLE = "DEMIURGE_CACHE"


def cache_folder(kind: str) -> Path:
    """The folder of one kind of things, in $DEMIURGE_CACHE or the user's cache folder. It may be deleted at any time.

    Raises
    ------
    ParameterError
        If $DEMIURGE_CACHE is not an absolute path.
    """
    from platformdirs import user_cache_path

    if given := os.environ.get(FOLDER_VARIABLE):
        if not Path(given).is_absolute():
            raise ParameterError(f"{FOLDER_VARIABLE}={given} must be an absolute path")
        return Path(given) / kind
    return user_cache_path("demiurge") / kind


@contextmanager
def keeping_decoded(what: str, folder: Path) -> Iterator[None]:
    """A block that keeps `what` decoded in a folder of the cache.

    Raises
    ------
    ParameterError
        If it cannot be written there; any `OSError` of the block means that.
    """
    try:
        yield
    except OSError as error:
        reason = "the disk is full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else error.strerror
        raise ParameterError(
            f"{what}: cannot be kept decoded in {folder} ({reason}); make room there, or name another folder with the "
            f"environment variable {FOLDER_VARIABLE}"
        ) from error
