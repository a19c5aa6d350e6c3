"""A cache of indexes that are slow to build.

An index is kept in the database's folder as index/KEY.faiss, with its description in
index/KEY.json. It can always be built again. If units were added or removed, it is updated; if it
is damaged, or the database has changed much, it is rebuilt.
"""

import contextlib
import json
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import xxhash

from db.database import Database
from db.normaliser import Normaliser
from files.atomic import replacing
from files.errors import ParameterError
from files.hashing import hash_file
from files.regular import check_regular

FORMAT = "demiurge-index"
VERSION = 1
KEPT = 4  # indexes per database; each set of weights and each metric has its own
# share of the units that may have been added or removed before the cells no longer fit
MOST_CHANGED = 0.2
# standard deviations by which a descriptor's mean or its deviation may have moved
MOST_DRIFT = 0.2

log = logging.getLogger(__name__)

Block = tuple[int, int, int]  # first unit id, number of units, checksum of their rows: one source


@dataclass(frozen=True)
class Cached:
    """An index on disk, with the normaliser and the sources it was built from.

    `changed` counts the units added and removed since its cells were found.
    """

    index: faiss.Index
    normaliser: Normaliser
    blocks: frozenset[Block]
    changed: int


def load_index(path: Path, database_id: str) -> Cached | None:
    """Return the index kept at `path` (KEY.faiss).

    None if it is missing; None, with a warning, if it is damaged.
    """
    record_path = path.with_suffix(".json")
    if not record_path.exists():
        return None
    try:
        for file in (record_path, path):  # a pipe would block
            check_regular(file, error=ParameterError, remedy="another takes its place")
        record = json.loads(record_path.read_text())
        # read only once, as another process may replace the file at any moment
        contents = np.fromfile(path, np.uint8)
        _check(record, contents, database_id)
        normaliser = Normaliser(
            np.array(record["mean"], np.float32), np.array(record["std"], np.float32)
        )
        blocks = frozenset(tuple(block) for block in record["sources"])
        with contextlib.suppress(OSError):  # the file may be read-only
            path.touch()  # mark it as used: the least recently used one is deleted first
        return Cached(faiss.deserialize_index(contents), normaliser, blocks, record["changed"])
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        log.warning("%s cannot be used (%s); the index is built anew", path, error)
        return None


def _check(record: dict[str, Any], contents: np.ndarray, database_id: str) -> None:
    expected = {"format": FORMAT, "version": VERSION, "database": database_id}
    for name, value in expected.items():
        if record[name] != value:
            raise ValueError(f"{name} is {record[name]!r}, not {value!r}")
    if len(contents) != record["size"]:
        raise ValueError(f"it has {len(contents)} bytes, but {record['size']} were written")
    if xxhash.xxh3_128_hexdigest(contents.data) != record["hash"]:
        raise ValueError("its contents are not those that were written")


def save_index(path: Path, cached: Cached, database_id: str) -> None:
    """Save an index; if that fails, log a warning and go on."""
    record = {
        "format": FORMAT,
        "version": VERSION,
        "database": database_id,
        "sources": sorted(cached.blocks),
    }
    record["changed"] = cached.changed
    record |= {"mean": cached.normaliser.mean.tolist(), "std": cached.normaliser.std.tolist()}
    try:
        path.parent.mkdir(exist_ok=True)
        with replacing(path) as temporary:
            faiss.write_index(cached.index, str(temporary))
            record |= {"size": temporary.stat().st_size, "hash": hash_file(temporary)}
        with replacing(path.with_suffix(".json")) as temporary:
            temporary.write_text(json.dumps(record))
        _forget_oldest(path.parent)
    except (OSError, RuntimeError, ParameterError) as error:
        log.warning(
            "the index cannot be kept in %s (%s); it will be built again the next time",
            path.parent,
            error,
        )


def _forget_oldest(folder: Path) -> None:
    files = sorted(folder.glob("[!.]*.faiss"), key=lambda file: file.stat().st_mtime_ns)
    for file in files[:-KEPT]:
        for part in (file.with_suffix(".json"), file):
            with contextlib.suppress(FileNotFoundError):  # already removed by another process
                part.unlink()


def source_blocks(database: Database) -> dict[Block, int]:
    """Map every source's block to its position in `database.sources`."""
    checksums = database.unit_checksums
    return {(s.first_unit, s.n_units, int(checksums[i])): i for i, s in enumerate(database.sources)}


def has_drifted(cached: Cached, blocks: Iterable[Block], now: Normaliser) -> bool:
    """Return whether the database has changed too much for the index to be updated."""
    changed = cached.changed + sum(block[1] for block in cached.blocks.symmetric_difference(blocks))
    then = cached.normaliser
    shift = np.abs(then.mean - now.mean) / now.std
    scale = np.abs(then.std / now.std - 1)
    return (
        changed > MOST_CHANGED * max(cached.index.ntotal, 1)
        or float(max(shift.max(), scale.max())) > MOST_DRIFT
    )


def stale_ids(cached: Cached, blocks: Iterable[Block]) -> np.ndarray:
    """Return the ids of units in the index that are no longer in the database."""
    gone = cached.blocks.difference(blocks)
    return np.concatenate(
        [np.arange(first, first + n) for first, n, _ in sorted(gone)] or [np.empty(0, np.int64)]
    )
