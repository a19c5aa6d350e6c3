"""Find the nearest units of each step of a sequence.

FAISS proposes (`query.proposals`), exact arithmetic decides. For many queries at once FAISS
computes |x|² + |y|² - 2xy in float32, which puts identical vectors slightly apart; for large
corpora it compares compressed vectors. The proposals are therefore measured again as |x - y| and
ordered by distance, then by unit. Descriptors are read from the database as they are needed.
"""

from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass
from typing import Self

import numpy as np

from db.database import Database
from files.errors import ParameterError
from files.progress import Progress, no_progress
from query.apply_filters import filter_units
from query.filters import Filters
from query.left_units import none_long_enough
from query.proposals import FLAT_UNITS
from query.proposer import Proposer
from query.space import Space

RANK_ROWS = 1 << 14  # proposals measured again at a time: 3 MB, to stay in the processor's cache
SEARCH_STEPS = 4096  # steps searched between two reports of progress


@dataclass(frozen=True)
class Matches:
    """The k nearest units of each step.

    Attributes
    ----------
    positions : ndarray, int64, shape (steps, k)
        Positions in `Database.units`, nearest first; ties in the order of the table.
    distances : ndarray, float32, shape (steps, k)
    """

    positions: np.ndarray
    distances: np.ndarray


class UnitIndex:
    """Finds the units of a space that are nearest to given descriptors.

    Attributes
    ----------
    space : Space
    allowed : ndarray, bool, shape (n_units,)
        True for units that pass the filters: only these are found, or added as a continuation.
    counts : dict
        Number of units left after each filter, by the filter's description.
    progress : files.progress.Progress
    """

    def __init__(
        self,
        space: Space,
        *,
        min_samples: int = 1,
        filters: Filters | None = None,
        kind: str = "auto",
        flat_units: int = FLAT_UNITS,
        progress: Progress = no_progress,
    ) -> None:
        """Index the units that pass the filters and are long enough.

        Parameters
        ----------
        min_samples : int
            Least number of samples from a unit's start to the end of its source.
        kind : str
            One of `query.names.INDEX_KINDS`, or "auto". Indexes other than flat are kept in the
            database's folder.
        flat_units : int
            "auto" compares every unit up to this many.

        Raises
        ------
        ParameterError
            If no unit is long enough, if FAISS has no index of that kind for the metric, or as
            `query.apply_filters.filter_units`.
        """
        self.space = space
        self.progress = progress
        self.allowed, self.counts = filter_units(space.database, filters or Filters())
        self._min_samples = min_samples
        self._searchable = self._find_long_enough(min_samples)
        self._proposers = [
            Proposer(
                space,
                member,
                first=first,
                searchable=searchable,
                kind=kind,
                flat_units=flat_units,
                progress=progress,
            )
            for member, first, searchable in self._of_members(self._searchable)
        ]

    @property
    def kind(self) -> str:
        """One of `query.names.INDEX_KINDS`; of several databases, the kinds of theirs."""
        return " and ".join(sorted({one.kind for one in self._proposers if len(one)}))

    def _of_members(self, searchable: np.ndarray) -> Iterator[tuple[Database, int, np.ndarray]]:
        """Yield each member of the database, its first position, and its part of some units.

        Of a database that was derived from several, the whole takes the place of each, if they are
        weighed: the nearest of all would not include the nearest by weight.
        """
        database = self.database
        if self.space.preferences and not database.members:
            numbers = database.member_of(searchable)
            for number in np.unique(database.source_member).tolist():
                yield database, 0, searchable[numbers == number]
            return
        first = 0
        for member in database.members.values() or (database,):
            stop = first + len(member.units)
            begin, end = np.searchsorted(searchable, (first, stop))
            yield member, first, searchable[begin:end]
            first = stop

    def allowing(self, allowed: np.ndarray) -> Self:
        """Return this index for other units that pass the filters, bool, (n_units,).

        The cells are the same. A few units are compared one by one instead.

        Raises
        ------
        ParameterError
            If no unit is left that is long enough.
        """
        other = copy(self)
        other.allowed = allowed
        other.counts = {"all": len(allowed), "filters": int(allowed.sum())}
        other._searchable = other._find_long_enough(self._min_samples)
        members = self._of_members(other._searchable)
        other._proposers = [
            proposer.allowing(searchable)
            for proposer, (_, _, searchable) in zip(self._proposers, members, strict=True)
        ]
        return other

    def weighing(self, space: Space) -> Self:
        """Return this index for another space of the same database and metric.

        The cells are the same: what they propose is near in the former space, and measured in the
        new one.
        """
        other = copy(self)
        other.space = space
        other._proposers = [proposer.weighing(space) for proposer in self._proposers]
        return other

    def _find_long_enough(self, min_samples: int) -> np.ndarray:
        """Return the positions of allowed units with enough samples left in their source."""
        samples_left = self.database.units.samples_left
        searchable = self.allowed & (samples_left >= min_samples)
        if not searchable.any():
            most = samples_left[self.allowed].max(initial=0)
            raise none_long_enough(self.database.path, self.counts, min_samples, int(most))
        return np.flatnonzero(searchable)

    def __len__(self) -> int:
        """Number of units that can be found."""
        return len(self._searchable)

    @property
    def database(self) -> Database:
        return self.space.database

    def search(self, sequence: np.ndarray, *, k: int) -> Matches:
        """Find the k nearest units of each step.

        Parameters
        ----------
        sequence : ndarray, float32, shape (steps, n_descriptors), raw
        k : int, 1 to len(self)

        Raises
        ------
        ParameterError
            If k is out of range, or as `Space.check_sequence`.
        """
        sequence = self.space.check_sequence(sequence)
        self.check_k(k)
        positions = np.empty((len(sequence), k), np.int64)
        distances = np.empty((len(sequence), k), np.float32)
        for start in range(0, len(sequence), SEARCH_STEPS):
            stop = min(start + SEARCH_STEPS, len(sequence))
            positions[start:stop], distances[start:stop] = self._nearest(sequence[start:stop], k)
            self.progress(stop, len(sequence), "finding candidates")
        return Matches(positions, distances)

    def draw(self, count: int, seed: list[int]) -> np.ndarray:
        """Return units that can be found, at random and perhaps twice, int64, (count,)."""
        return self._searchable[np.random.default_rng(seed).integers(len(self), size=count)]

    def spread(self, most: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return units that pass the filters, evenly spaced if there are more than `most`.

        Returns
        -------
        positions : ndarray, int64, shape (n,), ascending
        rows : ndarray, float32, shape (n, n_descriptors)
        source : ndarray, int64, shape (n,)
        """
        allowed = np.flatnonzero(self.allowed)
        positions = allowed[evenly(len(allowed), most)]
        return positions, self.database.rows_at(positions), self.sources_of(positions)

    def sources_of(self, positions: np.ndarray) -> np.ndarray:
        """Return the source of units, int64, of the same shape."""
        return self.database.units.source[positions]

    @property
    def n_sources(self) -> int:
        """Number of sources that have units which pass the filters."""
        return len(np.unique(self.sources_of(np.flatnonzero(self.allowed))))

    def check_k(self, k: int) -> None:
        """Raise a `ParameterError` if there are not k units that can be found."""
        if not 1 <= k <= len(self):
            raise ParameterError(
                f"k={k} must be between 1 and {len(self)}, the number of units of"
                f" {self.database.path} that can be played"
            )

    def _nearest(self, sequence: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the positions of the k nearest units and their distances, (steps, k)."""
        each = [one.propose(sequence, k) for one in self._proposers if len(one)]
        proposed = each[0] if len(each) == 1 else np.concatenate(each, axis=1)
        targets = self.space.vectors(sequence)
        block = max(RANK_ROWS // proposed.shape[1], 1)
        found = []
        for start in range(0, len(targets), block):
            rows = proposed[start : start + block]
            vectors = self.space.unit_vectors(rows.ravel()).reshape(*rows.shape, -1)
            exact = self.space.target_costs(rows, vectors, targets[start : start + block, None])
            exact[rows < 0] = np.inf
            found.append(_smallest(rows, exact, k))
        positions, distances = zip(*found, strict=True)
        return np.concatenate(positions), np.concatenate(distances)


def evenly(n: int, most: int) -> np.ndarray:
    """Return at most so many of the numbers from 0 to n - 1, evenly spaced, int64."""
    return np.arange(n) if n <= most else np.arange(most) * n // most


def _smallest(rows: np.ndarray, distances: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of the k smallest distances in each line, and these distances.

    They are ordered by distance, then by row. Non-negative float32 numbers have the same order as
    their bits read as integers, so one sort of integers (distance first, then row) does both.
    """
    keys = distances.view(np.uint32).astype(np.uint64) << np.uint64(32) | rows.astype(np.uint32)
    keys = np.partition(keys, k - 1, axis=1)[:, :k]
    keys.sort(axis=1)
    found_rows = keys.astype(np.uint32).astype(np.int64)
    return found_rows, (keys >> np.uint64(32)).astype(np.uint32).view(np.float32)
