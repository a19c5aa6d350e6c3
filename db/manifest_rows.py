"""Find rows of a manifest that do not fit each other; each value by itself is within its range."""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from itertools import chain

import numpy as np

from db.manifest_rules import MOST_ROWS, Damage
from db.row_kinds import SPAN_TABLES, row_kinds
from db.settings import DescriptorSettings
from db.shards import rows_per_shard
from db.source import Source
from files.errors import DemiurgeError

PLACES = 2 * MOST_ROWS  # in a shard, so that shard and row are one number


def stored_settings(config: dict[str, str]) -> DescriptorSettings:
    """Return the settings that a configuration holds.

    Raises
    ------
    ValueError, DemiurgeError
        If there are none, or they are damaged or of another version.
    """
    try:
        return DescriptorSettings.from_dict(json.loads(config.get("descriptors", "")))
    except RecursionError:
        raise ValueError("nested too deeply") from None


def bad_config(config: dict[str, str]) -> Iterator[Damage]:
    """Yield what is missing or wrong in the configuration."""
    for key in ("id", "root"):
        if not config.get(key):
            yield Damage("config", (), f"{key} is missing")
    try:
        stored_settings(config)
    except (ValueError, DemiurgeError) as error:
        yield Damage("config", (), f"the settings cannot be used ({error})", is_fatal=True)


def bad_normaliser(
    connection: sqlite3.Connection, settings: DescriptorSettings
) -> Iterator[Damage]:
    """Yield what is wrong with the mean and standard deviation of all units, if they are there."""
    size = 4 * settings.n_descriptors
    for number, mean, std in connection.execute("SELECT id, mean, std FROM normaliser"):
        if len(mean) != size or len(std) != size:
            problem = f"mean and std must be {size} bytes each, as the settings have it"
        elif not np.isfinite(np.frombuffer(mean + std, "<f4")).all():
            problem = "mean and std must be finite"
        elif (np.frombuffer(std, "<f4") <= 0).any():
            problem = "std must be above 0"
        else:
            continue
        yield Damage("normaliser", (number,), problem)


def bad_rows(
    connection: sqlite3.Connection, kind: str, settings: DescriptorSettings, limit: int
) -> Iterator[Damage]:
    """Yield what does not fit in the tables of one kind of rows."""
    yield from _unpaired(connection, kind, settings, limit)
    _, shards = SPAN_TABLES[kind]
    most = rows_per_shard(row_kinds(settings)[kind])
    query = f"SELECT shard, n_rows FROM {shards} WHERE n_rows > {most} LIMIT {limit}"
    for shard, n_rows in connection.execute(query):
        yield Damage(shards, (shard,), f"n_rows={n_rows} must be at most {most}")
    yield from _misplaced(connection, kind, limit)


def _unpaired(
    connection: sqlite3.Connection, kind: str, settings: DescriptorSettings, limit: int
) -> Iterator[Damage]:
    """Yield sources without rows, rows without a source, and sources with too many or too few."""
    spans, _ = SPAN_TABLES[kind]
    query = f"SELECT source_id FROM {spans} LEFT JOIN sources ON id = source_id WHERE id IS NULL"
    for (source,) in connection.execute(f"{query} LIMIT {limit}"):
        yield Damage(spans, (source,), "there is no such source")
    hop = settings.hop_length
    n_frames = f"(n_samples + {hop - 1}) / {hop}" if kind == "frames" else "n_rows"
    query = f"""
        SELECT id, state, n_samples, n_rows FROM sources LEFT JOIN {spans} ON source_id = id
        WHERE CASE WHEN source_id IS NULL THEN state = 'ok'
                   ELSE state = 'failed' OR n_rows != {n_frames} END
        LIMIT {limit}
    """
    for source, state, n_samples, n_rows in connection.execute(query):
        if n_rows is None:
            problem = f"it has no row in table {spans}"
        elif state == "failed":
            problem = f"it failed, but it has a row in table {spans}"
        else:
            problem = f"n_samples={n_samples} does not fit its {n_rows} frames of {hop} samples"
        yield Damage("sources", (source,), problem)


def _misplaced(connection: sqlite3.Connection, kind: str, limit: int) -> Iterator[Damage]:
    """Yield spans that overlap, or lie outside of their shard."""
    spans, shards = SPAN_TABLES[kind]
    query = f"SELECT shard * {PLACES} + first_row, n_rows, source_id FROM {spans}"
    values = np.fromiter(chain.from_iterable(connection.execute(query)), np.int64)
    found = values.reshape(-1, 3)
    place, n_rows, source = found[np.argsort(found[:, 0], kind="stable")].T
    shard = place // PLACES
    committed = dict(connection.execute(f"SELECT shard, n_rows FROM {shards}"))
    numbers, inverse = np.unique(shard, return_inverse=True)
    last = np.array([committed.get(number, 0) for number in numbers.tolist()], np.int64)[inverse]
    for i in np.flatnonzero(place % PLACES + n_rows > last)[:limit]:
        first = place[i] % PLACES
        problem = (
            f"rows {first} to {first + n_rows[i]} lie outside of shard {shard[i]}, which has"
            f" {last[i]}"
        )
        yield Damage(spans, (int(source[i]),), problem)
    is_over = (shard[1:] == shard[:-1]) & (place[:-1] + n_rows[:-1] > place[1:])
    for i in np.flatnonzero(is_over)[:limit]:
        problem = f"its rows overlap those of source {source[i]}"
        yield Damage(spans, (int(source[i + 1]),), problem)


def bad_lengths(sources: Sequence[Source], lengths: np.ndarray) -> Iterator[Damage]:
    """Yield sources whose units are empty, or do not fill them.

    Parameters
    ----------
    lengths : ndarray, int64, shape (n_units,)
        Samples in each unit, source by source.
    """
    if not sources:
        return
    counts = np.array([source.n_units for source in sources])
    n_samples = np.array([source.n_samples for source in sources])
    starts = np.cumsum(counts) - counts
    is_bad = np.add.reduceat(lengths, starts) != n_samples
    is_bad |= np.minimum.reduceat(lengths, starts) < 1
    for i in np.flatnonzero(is_bad).tolist():
        problem = "the lengths of its units must be above 0 and sum to its n_samples"
        yield Damage("unit_spans", (sources[i].id,), problem)
