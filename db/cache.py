"""Where things are kept that can be made again: decoded audio, mel spectrograms."""

import errno
import os
import shutil
from collections.abc import Container, Iterable, Iterator
from contextlib import contextmanager, suppress
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


def prune(kept: Iterable[Path], max_bytes: int, *, in_use: Container[Path]) -> None:
    """Remove what has not been used for longest, by its date, until the rest fits; what is in use stays.

    `kept` are files, or folders that are kept and removed whole. Other processes may prune as well.
    """
    entries = []
    for path in kept:
        with suppress(FileNotFoundError):
            files = [path, *path.rglob("*")]
            entries.append((path.stat().st_mtime_ns, path, sum(file.stat().st_size for file in files if file.is_file())))
    total = sum(size for _, _, size in entries)
    for _, path, size in sorted(entries):
        if total <= max_bytes:
            return
        if path not in in_use:
            total -= size
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
