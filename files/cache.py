"""The user's cache folder, for what can be made again.

Decoded audio, mel spectrograms, layouts, and what numba compiles.
"""

import atexit
import logging
import os
import shutil
import tempfile
from collections.abc import Container, Iterable
from contextlib import AbstractContextManager, suppress
from pathlib import Path

from files.atomic import writing_errors
from files.errors import ParameterError

FOLDER_VARIABLE = "DEMIURGE_CACHE"

log = logging.getLogger(__name__)


def cache_folder(kind: str) -> Path:
    """Return the folder for one kind of things, in $DEMIURGE_CACHE or the user's cache folder.

    It need not exist, and may be deleted at any time. Where the user's cache folder cannot be
    written, a temporary one is used until the program ends, and the log says so.

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
    """Whether a folder can be written, or made; it is not made."""
    if not folder.is_absolute():  # this user has no home
        return False
    existing = next(path for path in (folder, *folder.parents) if os.path.exists(path))
    return os.access(existing, os.W_OK | os.X_OK)


def _make_temporary(usual: Path) -> Path:
    """Make a cache folder; processes that this one starts find it in the environment."""
    folder = tempfile.mkdtemp(prefix="demiurge-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ[FOLDER_VARIABLE] = folder
    log.warning(
        "%s cannot be written: a temporary folder is the cache for now; the environment variable %s"
        " names one that stays",
        usual,
        FOLDER_VARIABLE,
    )
    return Path(folder)


def cache_errors(folder: Path) -> AbstractContextManager[None]:
    """Turn an `OSError` of a block that writes a cache folder into an error with the remedy."""
    remedy = "free some space there, or name another folder with the environment variable"
    return writing_errors(folder, f"{remedy} {FOLDER_VARIABLE}")


def prune(kept: Iterable[Path], max_bytes: int, *, in_use: Container[Path]) -> None:
    """Remove what has not been used for longest, until the rest fits in `max_bytes`.

    Parameters
    ----------
    kept : iterable of Path
        Files, or folders that are kept and removed whole. Their dates say when they were last
        used. Other processes may remove some of them at the same time.
    in_use : container of Path
        These stay.
    """
    entries = []
    for path in kept:
        with suppress(FileNotFoundError):
            entries.append((path.stat().st_mtime_ns, path, _size(path)))
    total = sum(size for _, _, size in entries)
    for _, path, size in sorted(entries):
        if total <= max_bytes:
            return
        if path not in in_use:
            total -= size
            _remove(path)


def _size(path: Path) -> int:
    files = [path, *path.rglob("*")]
    return sum(file.stat().st_size for file in files if file.is_file())


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
