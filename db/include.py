"""Add an audio file to an opened database, for as long as it is open."""

import os
from pathlib import Path

import numpy as np

from audio.read import probe
from db.database import Database
from db.derived import with_source
from db.shards import checksum
from db.source import NOT_STORED, Source
from files.errors import DatabaseError, ParameterError
from files.hashing import hash_file
from files.names import check_name


def include_file(
    database: Database, path: str | Path, rows: np.ndarray, lengths: np.ndarray
) -> tuple[Database, int]:
    """Return the database with one more source, and the position of that source.

    It is named by its path in the corpus folder; or by its absolute path, if it lies elsewhere or
    there are several databases. A file that is in the database already is not added again.

    Parameters
    ----------
    rows : ndarray, float32, shape (units, n_descriptors), raw
        The file's own, with the database's settings.
    lengths : ndarray, int64, shape (units,)
        Samples in each unit.

    Raises
    ------
    ParameterError
        If it cannot be read.
    DatabaseError
        If the database holds another version of it.
    """
    check_name(path)
    real = Path(os.path.realpath(path))
    try:
        content_hash = hash_file(real)
        status = real.stat()
    except OSError as error:
        raise ParameterError(f"{path}: cannot be read ({error.strerror})") from error
    for number, source in enumerate(database.sources):
        if source.content_hash == content_hash:
            return database, number
    name = _name_of(real, database)
    if name in database.sources_by_path:
        raise DatabaseError(f"{name} has changed since the analysis; run demiurge db build again")
    info = probe(real)
    source = Source(
        NOT_STORED,
        name,
        content_hash,
        status.st_size,
        status.st_mtime_ns,
        info.sample_rate,
        info.channels,
        n_samples=int(lengths.sum()),
        first_unit=database.next_unit,
        n_units=len(rows),
        checksum=checksum(rows),
    )
    return with_source(database, source, lengths, rows), len(database.sources)


def _name_of(real: Path, database: Database) -> str:
    """Return how a database names a file: by its path in its folder, or its absolute path."""
    if database.names or not isinstance(database.root, Path):
        return real.as_posix()
    root = Path(os.path.realpath(database.root))
    return (real.relative_to(root) if real.is_relative_to(root) else real).as_posix()
