"""A cache of indexes that are slow to build.

An index is kept in the database's folder as index/KEY.faiss, with its description in
index/KEY.json. It can always be built again. If units were added or removed, it is updated; if it
is damaged, or the database has changed much, it is rebuilt.
"""

import contextlib
import errno
import json
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import faiss
import numpy as np
import xxhash
from msgspec import Meta, Struct

from db.database import Database
from db.normaliser import Normaliser
from files.atomic import replacing
from files.documents import read_document
from files.errors import DatabaseError, ParameterError, system_reason
from files.hashing import hash_file
from files.regular import read_regular

FORMAT = "demiurge-index"
VERSION = 1
KEPT = 4  # indexes per database; each set of weights and each metric has its own
# share of the units that may have been added or removed before the cells no longer fit
MOST_CHANGED = 0.2
# standard deviations by which a descriptor's mean or its deviation may have moved
MOST_DRIFT = 0.2

log = logging.getLogger(__name__)

REMEDY = "remove it"
MAX_BYTES = 1 << 28  # of a record

Count = Annotated[int, Meta(ge=0, le=1 << 62)]
Block = tuple[int, int, int]  # first unit id, number of units, checksum of their rows: one source


class IndexRecord(Struct):
    """The description of an index on disk; `sources` holds a `Block` for each."""

    format: Literal["demiurge-index"]
    version: Literal[1]
    database: str
    sources: list[tuple[Count, Count, Count]]
    changed: Count
    mean: list[float]
    std: list[Annotated[float, Meta(gt=0)]]
    size: Count
    hash: str


@dataclass(frozen=True)
class Cached:
    """An index on disk, with the normaliser and the sources it was built from.

    `changed` counts the units added and removed since its cells were found.
    """

    index: faiss.Index
    normaliser: Normaliser
    blocks: frozenset[Block]
    changed: int


def load_index(path: Path, database: Database) -> Cached | None:
    """Return the index kept at `path` (KEY.faiss).

    None if it is missing; None, with a warning, if it is damaged.
    """
    record_path = path.with_suffix(".json")
    if not record_path.exists():
        return None
    try:
        record = read_document(
            record_path, IndexRecord, error=DatabaseError, remedy=REMEDY, max_bytes=MAX_BYTES
        )
        # read only once, as another process may replace the file at any moment
        contents = read_regular(path, error=DatabaseError, remedy=REMEDY, max_bytes=record.size)
        _check(record, contents, database)
        mean, std = (np.array(values, np.float32) for values in (record.mean, record.std))
        with contextlib.suppress(OSError):  # the file may be read-only
            path.touch()  # mark it as used: the least recently used one is deleted first
        index = faiss.deserialize_index(np.frombuffer(contents, np.uint8))
        if index.ntotal != sum(n_units for _, n_units, _ in record.sources):
            raise DatabaseError(f"{path}: it holds {index.ntotal} units, not its sources' number")
        return Cached(index, Normaliser(mean, std), frozenset(record.sources), record.changed)
    except (DatabaseError, RuntimeError) as error:  # RuntimeError: of FAISS
        log.warning("%s cannot be used (%s); the index is built anew", path, error)
        return None


def _check(record: IndexRecord, contents: bytes, database: Database) -> None:
    problem = ""
    if record.database != database.id:
        problem = f"database is {record.database!r}, not {database.id!r}"
    elif len(contents) != record.size:
        problem = f"it has {len(contents)} bytes, but {record.size} were written"
    elif xxhash.xxh3_128_hexdigest(contents) != record.hash:
        problem = "its contents are not those that were written"
    elif not len(record.mean) == len(record.std) == database.settings.n_descriptors:
        problem = f"its normaliser is not of {database.settings.n_descriptors} descriptors"
    if problem:
        raise DatabaseError(problem)


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
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            _write(cached.index, temporary)
            record |= {"size": temporary.stat().st_size, "hash": hash_file(temporary)}
        with replacing(path.with_suffix(".json")) as temporary:
            temporary.write_text(json.dumps(record))
        _forget_oldest(path.parent)
    except (OSError, ParameterError) as error:
        log.warning(
            "the index cannot be kept in %s (%s); it will be built again the next time",
            path.parent,
            system_reason(error),
        )


def _write(index: faiss.Index, path: Path) -> None:
    """Write an index; raise an `OSError` in place of FAISS's, which names lines of its source."""
    try:
        faiss.write_index(index, str(path))
    except RuntimeError as error:
        reason = "not everything could be written; the disk is probably full"
        raise OSError(errno.ENOSPC, reason, str(path)) from error


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
    is_much = changed > MOST_CHANGED * max(cached.index.ntotal, 1)
    return is_much or drift(cached.normaliser, now) > MOST_DRIFT


def drift(then: Normaliser, now: Normaliser) -> float:
    """Return the most by which a mean or a deviation differs, in deviations of `now`."""
    shift = np.abs(then.mean - now.mean) / now.std
    scale = np.abs(then.std / now.std - 1)
    return float(max(shift.max(), scale.max()))


def stale_ids(cached: Cached, blocks: Iterable[Block]) -> np.ndarray:
    """Return the ids of units in the index that are no longer in the database."""
    gone = cached.blocks.difference(blocks)
    return np.concatenate(
        [np.arange(first, first + n) for first, n, _ in sorted(gone)] or [np.empty(0, np.int64)]
    )
