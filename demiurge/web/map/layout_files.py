"""Layouts on disk, in the user's cache: one file per layout and state of a database.

The files can be deleted at any time.
"""

import contextlib
import logging
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import xxhash

from db.database import Database
from files.atomic import replacing
from files.cache import cache_folder
from files.errors import ParameterError
from files.regular import check_regular, is_missing

VERSION = 2  # of how layouts are computed; files of other versions are ignored
KEPT_FILES = 32

log = logging.getLogger(__name__)


def layout_key(database: Database) -> str:
    """Return a hash of a database's units and their descriptors, 32 hex digits."""
    counts = np.array([source.n_units for source in database.sources], np.int64)
    hashed = xxhash.xxh3_128(f"{VERSION} {database.id} {database.settings.hash}".encode())
    hashed.update(counts.tobytes())
    hashed.update(database.unit_checksums.tobytes())
    hashed.update(str(database.normaliser_name).encode())
    return hashed.hexdigest()


def load_layout(
    key: str, name: str, shapes: Mapping[str, tuple[int, ...]]
) -> dict[str, np.ndarray] | None:
    """Return the arrays of a saved layout.

    None if there is no file; None, with a warning, if it is damaged or has other shapes.
    """
    path = cache_folder("layouts") / f"{key}-{name}.npz"
    try:
        if not is_missing(path):  # a pipe would block
            check_regular(path, error=ParameterError, remedy="another takes its place")
        # a zip file, with a checksum for each array
        with open(path, "rb") as opened, np.load(opened) as file:
            found = {array: file[array] for array in shapes}
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        log.warning("%s cannot be used (%s); the layout is computed again", path, error)
        return None
    if any(found[array].shape != shape for array, shape in shapes.items()):
        log.warning("%s has another number of units; the layout is computed again", path)
        return None
    return found


def save_layout(key: str, name: str, arrays: Mapping[str, np.ndarray]) -> None:
    """Save a layout; if that fails, log a warning."""
    folder = cache_folder("layouts")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(folder / f"{key}-{name}.npz") as temporary:
            np.savez(temporary, allow_pickle=False, **arrays)
        _remove_oldest(folder)
    except (OSError, ParameterError) as error:
        log.warning(
            "the layout cannot be saved in %s (%s); it is computed again next time", folder, error
        )


def _remove_oldest(folder: Path) -> None:
    files = sorted(folder.glob("*.npz"), key=lambda file: file.stat().st_mtime_ns)
    for path in files[:-KEPT_FILES]:
        with contextlib.suppress(FileNotFoundError):  # already removed by another process
            path.unlink()
