"""The user's cache folder, for data that can be made again.

It holds decoded audio, mel spectrograms, layouts and functions compiled by numba.
"""

import atexit
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Container, Iterable
from contextlib import AbstractContextManager, suppress
from pathlib import Path

from files.atomic import writing_errors
from files.errors import ParameterError

FOLDER_VARIABLE = "DEMIURGE_CACHE"

log = logging.getLogger(__name__)


def cache_folder(kind: str) -> Path:
    """Return the folder for one kind of data, in $DEMIURGE_CACHE or the user's cache folder.

    It need not exist, and may be deleted at any time. If the user's cache folder cannot be
    written, a temporary one is used until the program ends, with a warning in the log.

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
    usual = user_cache_path("demiurge")
    return (usual if may_write(usual) else _make_temporary(usual)) / kind


def may_write(folder: Path) -> bool:
    """Return whether a folder can be written or made, without making it."""
    if not folder.is_absolute():  # this user has no home
        return False
    existing = next(path for path in (folder, *folder.parents) if os.path.exists(path))
    return os.access(existing, os.W_OK | os.X_OK)


def _make_temporary(usual: Path) -> Path:
    """Make a temporary cache folder; child processes find it in the environment."""
    folder = tempfile.mkdtemp(prefix="demiurge-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ[FOLDER_VARIABLE] = folder
    log.warning(
        "%s cannot be written: a temporary folder is the cache for now; name a permanent one with"
        " the environment variable %s",
        usual,
        FOLDER_VARIABLE,
    )
    return Path(folder)


def cache_errors(folder: Path) -> AbstractContextManager[None]:
    """Turn an `OSError` raised while writing a cache folder into an error with the remedy."""
    remedy = "free some space there, or name another folder with the environment variable"
    return writing_errors(folder, f"{remedy} {FOLDER_VARIABLE}")


def _modified_ns(status: os.stat_result) -> int:
    return status.st_mtime_ns


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def prune(
    kept: Iterable[Path],
    max_bytes: int,
    *,
    in_use: Container[Path],
    last_used: Callable[[os.stat_result], int] = _modified_ns,
    remove: Callable[[Path], None] = _remove,
) -> None:
    """Remove the least recently used entries until the rest fits in `max_bytes`.

    Parameters
    ----------
    kept : iterable of Path
        Files, or folders that are kept or removed whole. Other processes may remove some of them
        at the same time.
    in_use : container of Path
        Entries that stay.
    last_used : callable, optional
        When an entry was last used, by default its modification date.
    remove : callable, optional
        Raises an `OSError` if an entry cannot be removed now.
    """
    entries = []
    for path in kept:
        with suppress(FileNotFoundError):
            entries.append((last_used(path.stat()), path, _size(path)))
    total = sum(size for _, _, size in entries)
    for _, path, size in sorted(entries):
        if total <= max_bytes:
            return
        if path in in_use:
            continue
        with suppress(OSError):  # in use, or of another user
            remove(path)
            total -= size


def _size(path: Path) -> int:
    files = [path, *path.rglob("*")]
    return sum(file.stat().st_size for file in files if file.is_file())
