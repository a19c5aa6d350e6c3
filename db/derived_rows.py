"""The descriptors of units that are played in another way than they are stored."""

from typing import Protocol

import numpy as np

from db.columns import columns_of
from db.settings import STD_SUFFIX, DescriptorSettings

SEMITONES = 12  # in an octave


class Rows(Protocol):
    """Descriptor rows of all units; see `db.unit_rows.UnitRows`."""

    @property
    def all_intact(self) -> bool: ...

    def of_source(self, number: int) -> np.ndarray: ...

    def check(self, numbers: np.ndarray) -> None: ...

    def take(self, ids: np.ndarray) -> np.ndarray: ...


class RowsWithOneMore:
    """The rows of all sources of a database, and of one more after them."""

    def __init__(self, stored: Rows, number: int, first_id: int, rows: np.ndarray) -> None:
        """Take the position of the new source in `Database.sources`, its first id and its rows."""
        self._stored = stored
        self._number = number
        self._first_id = first_id
        self._rows = rows

    @property
    def all_intact(self) -> bool:
        return self._stored.all_intact

    def of_source(self, number: int) -> np.ndarray:
        return self._rows if number == self._number else self._stored.of_source(number)

    def check(self, numbers: np.ndarray) -> None:
        self._stored.check(numbers[numbers != self._number])

    def take(self, ids: np.ndarray) -> np.ndarray:
        added = ids >= self._first_id
        rows = np.empty((len(ids), self._rows.shape[1]), np.float32)
        rows[~added] = self._stored.take(ids[~added])
        rows[added] = self._rows[ids[added] - self._first_id]
        return rows


class RowsOfSome:
    """The rows of some of the sources of a database."""

    def __init__(self, stored: Rows, numbers: np.ndarray) -> None:
        """Take the positions of these sources in `Database.sources`, int64, (n,)."""
        self._stored = stored
        self._numbers = numbers
        self.all_intact = stored.all_intact

    def of_source(self, number: int) -> np.ndarray:
        return self._stored.of_source(int(self._numbers[number]))

    def check(self, numbers: np.ndarray) -> None:
        self._stored.check(self._numbers[numbers])
        self.all_intact = self._stored.all_intact

    def take(self, ids: np.ndarray) -> np.ndarray:
        return self._stored.take(ids)


class TransposedRows:
    """The rows of sources as they are after transposing: their chroma and pitch."""

    def __init__(
        self,
        stored: Rows,
        semitones: np.ndarray,
        first_ids: np.ndarray,
        settings: DescriptorSettings,
    ) -> None:
        """Take how far each source is transposed, and the id of its first unit, both (sources,)."""
        self._stored = stored
        self._semitones = semitones
        self._first_ids = first_ids
        self._settings = settings

    @property
    def all_intact(self) -> bool:
        return self._stored.all_intact

    def of_source(self, number: int) -> np.ndarray:
        rows = self._stored.of_source(number)
        semitones = int(self._semitones[number])
        return transpose_rows(rows, semitones, self._settings) if semitones else rows

    def check(self, numbers: np.ndarray) -> None:
        self._stored.check(numbers)

    def take(self, ids: np.ndarray) -> np.ndarray:
        rows = self._stored.take(ids)
        semitones = self._semitones[np.searchsorted(self._first_ids, ids, side="right") - 1]
        return transpose_each(rows, semitones, self._settings)


class RowsOfCopies:
    """The rows of a database whose sources come several times, each time transposed."""

    def __init__(
        self,
        stored: Rows,
        semitones: tuple[int, ...],
        *,
        n_sources: int,
        period: int,
        settings: DescriptorSettings,
    ) -> None:
        """Take how far each copy of `n_sources` is transposed.

        The ids of a unit in two successive copies differ by `period`.
        """
        self._stored = stored
        self._semitones = semitones
        self._n_sources = n_sources
        self._period = period
        self._settings = settings

    @property
    def all_intact(self) -> bool:
        return self._stored.all_intact

    def of_source(self, number: int) -> np.ndarray:
        copy, stored = divmod(number, self._n_sources)
        rows = self._stored.of_source(stored)
        semitones = self._semitones[copy]
        return transpose_rows(rows, semitones, self._settings) if semitones else rows

    def check(self, numbers: np.ndarray) -> None:
        self._stored.check(np.unique(numbers % self._n_sources))

    def take(self, ids: np.ndarray) -> np.ndarray:
        copies, stored = np.divmod(ids, self._period)
        semitones = np.array(self._semitones)[copies]
        return transpose_each(self._stored.take(stored), semitones, self._settings)


def transpose_each(
    rows: np.ndarray, semitones: np.ndarray, settings: DescriptorSettings
) -> np.ndarray:
    """Transpose each row by its own semitones, int64, (n,), in place; return the rows."""
    for shift in np.unique(semitones[semitones != 0]).tolist():
        shifted = semitones == shift
        rows[shifted] = transpose_rows(rows[shifted], shift, settings)
    return rows


def transpose_rows(rows: np.ndarray, semitones: int, settings: DescriptorSettings) -> np.ndarray:
    """Return descriptors of sounds transposed by whole semitones, (n, n_descriptors).

    Pitch classes and pitches move; what describes timbre stays, since it hardly changes. Latents of
    a model stay as well: how they move, nobody knows.
    """
    names = settings.names
    transposed = rows.copy()
    for suffix in ("", STD_SUFFIX):
        classes = [f"{name}{suffix}" for name in columns_of("chroma", n_mfcc=1).names]
        if classes[0] in names:
            columns = [names.index(name) for name in classes]
            transposed[:, columns] = np.roll(rows[:, columns], semitones, axis=1)
        if (pitch := f"f0{suffix}") in names:
            transposed[:, names.index(pitch)] *= 2 ** (semitones / SEMITONES)
    return transposed
