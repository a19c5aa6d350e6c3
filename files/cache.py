"""Where things are kept that can be made again: decoded audio, mel spectrograms, what numba
compiles.
"""

import atexit
import errno
import logging
import os
import shutil
import tempfile
from collections.abc import Container, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from files.errors import ParameterError

FOLDER_VARIABLE = "DEMIURGE_CACHE"

log = logging.getLogger(__name__)


def cache_folder(kind: str) -> Path:
    """The folder of one kind of things, in $DEMIURGE_CACHE or the user's cache folder.

    It may be deleted at any time.

    Where the user's cache folder cannot be written, a temporary one takes its place until the
    program ends; the log says so.

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
    return (usual if may_write(usual) else _temporary_folder(usual)) / kind


def may_write(folder: Path) -> bool:
    """Whether a folder can be written, or made; it is not made."""
    existing = next((path for path in (folder, *folder.parents) if os.path.exists(path)), folder)
    return folder.is_absolute() and os.access(
        existing, os.W_OK | os.X_OK
    )  # not absolute: this user has no home


def _temporary_folder(usual: Path) -> Path:
    """Made once: the environment tells this process, and those that it starts, where it is."""
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
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        reason, remedy = (
            ("the disk is full", "make room there")
            if full
            else (error.strerror, "see that it can be written")
        )
        raise ParameterError(
            f"{what}: cannot be kept decoded in {folder} ({reason}); {remedy}, or name another"
            f" folder with the environment variable {FOLDER_VARIABLE}"
        ) from error


def prune(kept: Iterable[Path], max_bytes: int, *, in_use: Container[Path]) -> None:
    """Remove what has not been used for longest, by its date, until the rest fits; what is in use
    stays.

    `kept` are files, or folders that are kept and removed whole. Other processes may prune as well.
    """
    entries = []
    for path in kept:
        with suppress(FileNotFoundError):
            files = [path, *path.rglob("*")]
            entries.append(
                (
                    path.stat().st_mtime_ns,
                    path,
                    sum(file.stat().st_size for file in files if file.is_file()),
                )
            )
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
