"""Where things are kept that can be made again: decoded audio, mel spectrograms."""

import os
import shutil
from collections.abc import Container, Iterable
from contextlib import suppress
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
