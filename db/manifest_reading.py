"""Read the manifest of a database."""

import sqlite3
from functools import partial
from itertools import chain
from operator import attrgetter
from pathlib import Path

import numpy as np

from db.manifest import never_built
from db.manifest_rows import stored_settings
from db.normaliser import Normaliser
from db.row_kinds import SPAN_TABLES, unit_row_kind
from db.settings import DescriptorSettings
from db.shards import rows_per_shard
from db.source import Failure, Source


def read_config(connection: sqlite3.Connection) -> dict[str, str]:
    """Return the table `config`; it is empty in a database whose first build has not begun."""
    return dict(connection.execute("SELECT key, value FROM config"))


def read_settings(connection: sqlite3.Connection, folder: Path) -> DescriptorSettings:
    """Return the descriptor settings of the database in a folder.

    Raises
    ------
    DatabaseError
        If there are none.
    """
    config = read_config(connection)
    if not config:
        raise never_built(folder)
    return stored_settings(config)


def read_sources(connection: sqlite3.Connection, settings: DescriptorSettings) -> list[Source]:
    """Return the analysed sources in the order of their units' rows."""
    spans, _ = SPAN_TABLES[unit_row_kind(settings)]
    query = f"""
        SELECT id, path, content_hash, n_bytes, mtime_ns, sample_rate, channels, n_samples,
               shard * ? + first_row, n_rows, crc32
        FROM sources JOIN {spans} ON source_id = id
    """
    capacity = rows_per_shard(settings.n_descriptors)
    make = partial(tuple.__new__, Source)  # as Source._make, in half of the time
    sources: list[Source] = list(map(make, connection.execute(query, (capacity,))))
    sources.sort(key=attrgetter("first_unit"))
    return sources


def read_frame_spans(connection: sqlite3.Connection, settings: DescriptorSettings) -> np.ndarray:
    """Return the source id, first row, number of rows and CRC-32 of each source's frames.

    int64, shape (n_sources, 4).
    """
    query = "SELECT source_id, shard * ? + first_row, n_rows, crc32 FROM spans"
    rows = connection.execute(query, (rows_per_shard(len(settings.frame_names)),))
    return np.fromiter(chain.from_iterable(rows), np.int64).reshape(-1, 4)


def read_unit_lengths(connection: sqlite3.Connection) -> np.ndarray:
    """Return the length of every unit in samples, int64, in the order of `read_sources`."""
    rows = connection.execute("SELECT shard, first_row, lengths FROM unit_spans").fetchall()
    rows.sort()
    return np.frombuffer(b"".join([row[2] for row in rows]), "<i4").astype(np.int64)


def read_shard_rows(connection: sqlite3.Connection, kind: str) -> dict[int, int]:
    """Return the number of committed rows in each shard of a kind."""
    return dict(connection.execute(f"SELECT shard, n_rows FROM {SPAN_TABLES[kind][1]}"))


def read_remarks(connection: sqlite3.Connection) -> tuple[list[Failure], dict[str, str]]:
    """Return the files that could not be analysed, and the warnings of sources by path.

    Both are sorted by path. Manifests before version 4 have no warnings.
    """
    columns = [row[1] for row in connection.execute("PRAGMA table_info(sources)")]
    warning = "warning" if "warning" in columns else "NULL"
    query = (
        f"SELECT path, state, error, {warning} FROM sources"
        f" WHERE state = 'failed' OR {warning} IS NOT NULL ORDER BY path"
    )
    rows = connection.execute(query).fetchall()
    failures = [Failure(path, error) for path, state, error, _ in rows if state == "failed"]
    return failures, {path: warning for path, _, _, warning in rows if warning is not None}


def read_tags(connection: sqlite3.Connection) -> dict[str, set[str]]:
    """Return the tags of each source that has any, by path."""
    tags: dict[str, set[str]] = {}
    for path, tag in connection.execute("SELECT path, tag FROM tags ORDER BY path, tag"):
        tags.setdefault(path, set()).add(tag)
    return tags


def read_normaliser(connection: sqlite3.Connection) -> Normaliser | None:
    """Return the mean and standard deviation of all units; None while a build is not finished."""
    stored = connection.execute("SELECT mean, std FROM normaliser").fetchone()
    if stored is None:
        return None
    mean, std = (np.frombuffer(blob, "<f4") for blob in stored)
    return Normaliser(mean, std)
