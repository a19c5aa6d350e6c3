"""Layouts on disk, in the user's cache: a file for each layout of each state of a database. They
may be deleted at any time.
"""

import contextlib
import logging
import zipfile
from collections.abc import Mapping

import numpy as np
import xxhash

from db.database import Database
from files.atomic import replacing
from files.cache import cache_folder
from files.errors import ParameterError

VERSION = 2  # of how layouts are made: those made otherwise are not looked at
KEPT = 32  # files

log = logging.getLogger(__name__)


def layout_key(database: Database) -> str:
    """32 hex digits that stand for a database's units, all of them, and their descriptors."""
    counts = np.array([source.n_units for source in database.sources], np.int64)
    hashed = xxhash.xxh3_128(f"{VERSION} {database.id} {database.settings.hash}".encode())
    hashed.update(counts.tobytes())
    hashed.update(database.unit_checksums.tobytes())
    return hashed.hexdigest()


def load_layout(
    key: str, name: str, shapes: Mapping[str, tuple[int, ...]]
) -> dict[str, np.ndarray] | None:
    """The arrays of a layout, as they were saved; None, and a word in the log, if there is no whole
    file of these shapes.
    """
    path = cache_folder("layouts") / f"{key}-{name}.npz"
    try:
        with (
            open(path, "rb") as opened,
            np.load(opened) as file,
        ):  # a zip file, with a checksum of each array
            found = {array: file[array] for array in shapes}
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        log.warning("%s cannot be used (%s); the layout is made anew", path, error)
        return None
    if any(found[array].shape != shape for array, shape in shapes.items()):
        log.warning("%s is of another number of units; the layout is made anew", path)
        return None
    return found


def save_layout(key: str, name: str, arrays: Mapping[str, np.ndarray]) -> None:
    """Keep a layout; where that cannot be, say so in the log."""
    folder = cache_folder("layouts")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(folder / f"{key}-{name}.npz") as temporary:
            np.savez(temporary, allow_pickle=False, **arrays)
        files = sorted(folder.glob("*.npz"), key=lambda file: file.stat().st_mtime_ns)
        for path in files[:-KEPT]:
            with contextlib.suppress(FileNotFoundError):  # another process had the same thought
                path.unlink()
    except (OSError, ParameterError) as error:
        log.warning(
            "the layout cannot be kept in %s (%s); it is made again the next time", folder, error
        )
