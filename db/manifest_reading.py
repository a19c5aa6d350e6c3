"""Read the manifest of a database."""

import json
import sqlite3

import numpy as np

from db.manifest import SPAN_TABLES, unit_row_kind
from db.normaliser import Normaliser
from db.settings import DescriptorSettings
from db.shards import rows_per_shard
from db.source import Failure, Source
from files.errors import DatabaseError


def read_config(connection: sqlite3.Connection) -> dict[str, str]:
    """Return the table `config`; it is empty in a database whose first build has not begun."""
    return dict(connection.execute("SELECT key, value FROM config"))


def parse_settings(config: dict[str, str]) -> DescriptorSettings:
    """Return the descriptor settings that a configuration holds.

    Raises
    ------
    DatabaseError
        If they are of another version.
    KeyError
        If there are none.
    """
    return DescriptorSettings.from_dict(json.loads(config["descriptors"]))


def read_settings(connection: sqlite3.Connection) -> DescriptorSettings:
    """Return the descriptor settings of a database.

    Raises
    ------
    DatabaseError
        If there are none, or they are of another version.
    """
    config = read_config(connection)
    if "descriptors" not in config:
        raise DatabaseError(
            "the database has no settings: its first build never began; build it again"
        )
    return parse_settings(config)


def read_sources(connection: sqlite3.Connection, settings: DescriptorSettings) -> list[Source]:
    """Return the analysed sources in the order of their units' rows."""
    spans, _ = SPAN_TABLES[unit_row_kind(settings)]
    query = f"""
        SELECT id, path, content_hash, n_bytes, mtime_ns, sample_rate, channels, n_samples,
               shard * ? + first_row, n_rows, crc32
        FROM sources JOIN {spans} ON source_id = id ORDER BY shard, first_row
    """
    capacity = rows_per_shard(settings.n_descriptors)
    return [Source._make(row) for row in connection.execute(query, (capacity,))]


def read_frame_spans(
    connection: sqlite3.Connection, settings: DescriptorSettings
) -> dict[int, tuple[int, int, int]]:
    """Return the first row, the number of rows and the CRC-32 of the frames of each source id."""
    query = "SELECT source_id, shard * ? + first_row, n_rows, crc32 FROM spans"
    capacity = rows_per_shard(len(settings.frame_names))
    return {row[0]: row[1:] for row in connection.execute(query, (capacity,))}


def read_unit_lengths(connection: sqlite3.Connection) -> np.ndarray:
    """Return the length of every unit in samples, int64, in the order of `read_sources`."""
    query = "SELECT lengths FROM unit_spans ORDER BY shard, first_row"
    lengths = b"".join(row[0] for row in connection.execute(query))
    return np.frombuffer(lengths, "<i4").astype(np.int64)


def read_shard_rows(connection: sqlite3.Connection, kind: str) -> dict[int, int]:
    """Return the number of committed rows in each shard of a kind."""
    return dict(connection.execute(f"SELECT shard, n_rows FROM {SPAN_TABLES[kind][1]}"))


def read_failures(connection: sqlite3.Connection) -> list[Failure]:
    """Return the files that could not be analysed, sorted by path."""
    query = "SELECT path, error FROM sources WHERE state = 'failed' ORDER BY path"
    return [Failure(*row) for row in connection.execute(query)]


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
