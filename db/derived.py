"""Databases made from another in memory: with one more source, or transposed.

Nothing is written, and no descriptors are copied.
"""

import numpy as np

from db.database import Database
from db.derived_rows import RowsOfCopies, RowsOfSome, RowsWithOneMore, TransposedRows
from db.source import Source


def with_source(
    database: Database, source: Source, lengths: np.ndarray, rows: np.ndarray
) -> Database:
    """Return a database and one more source, its last.

    Parameters
    ----------
    source : Source
        Its first unit must be `database.next_unit`.
    lengths : ndarray, int64, shape (n_units,)
        Samples in each unit.
    rows : ndarray, float32, shape (n_units, n_descriptors)
    """
    known = database.unit_lengths
    return database.changed(
        sources=[*database.sources, source],
        semitones=np.append(database.semitones, 0),
        source_member=np.append(database.source_member, -1),
        unit_lengths=None if known is None else np.concatenate([known, lengths]),
        rows=RowsWithOneMore(database.rows, len(database.sources), source.first_unit, rows),
    )


def only_sources(database: Database, numbers: np.ndarray) -> Database:
    """Return a database of some of the sources only; its normaliser stays.

    Parameters
    ----------
    numbers : ndarray, int64, shape (n,), ascending
        Positions in `database.sources`.
    """
    known = database.unit_lengths
    if known is not None:
        counts = [source.n_units for source in database.sources]
        known = known[np.repeat(np.isin(np.arange(len(counts)), numbers), counts)]
    return database.changed(
        sources=[database.sources[number] for number in numbers.tolist()],
        semitones=database.semitones[numbers],
        source_member=database.source_member[numbers],
        unit_lengths=known,
        rows=RowsOfSome(database.rows, numbers),
    )


def transposed(database: Database, semitones: np.ndarray) -> Database:
    """Return a database with sources transposed by whole semitones, int64, (n_sources,).

    Its descriptors say how the units sound then.
    """
    first_ids = np.array([source.first_unit for source in database.sources], np.int64)
    return database.changed(
        semitones=database.semitones + semitones,
        rows=TransposedRows(database.rows, semitones, first_ids, database.settings),
    )


def at_transpositions(database: Database, semitones: tuple[int, ...]) -> Database:
    """Return a database with all sources several times, each time transposed.

    The position of a unit in copy c is that in `database` + c * n_units; `Database.stored_id` gives
    its id.

    Parameters
    ----------
    semitones : tuple of int
        How far each copy is transposed.
    """
    copies = len(semitones)
    n_ids = database.next_unit
    known = database.unit_lengths
    return database.changed(
        sources=[
            source._replace(first_unit=source.first_unit + copy * n_ids)
            for copy in range(copies)
            for source in database.sources
        ],
        semitones=np.repeat(np.array(semitones, np.int64), len(database.sources)),
        source_member=np.tile(database.source_member, copies),
        unit_lengths=None if known is None else np.tile(known, copies),
        copy_ids=n_ids,
        rows=RowsOfCopies(
            database.rows,
            semitones,
            n_sources=len(database.sources),
            period=n_ids,
            settings=database.settings,
        ),
    )
