"""The table of all units of a database, column by column."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from db.source import Source


@dataclass(frozen=True)
class Units:
    """Every unit of a database, ordered by id; columns are int64, shape (n_units,).

    A *position* is a row number in this table. Code passes positions around. Ids are for what is
    written or shown, since they stay the same when sources are added or removed. `find` turns ids
    into positions; `ids[positions]` turns them back.

    Attributes
    ----------
    ids : ndarray
    source : ndarray
        Position in `Database.sources`.
    start_sample, n_samples : ndarray
        Units tile each source from sample 0 to its end.
    samples_left : ndarray
        Samples from a unit's start to the end of its source.
    """

    ids: np.ndarray
    source: np.ndarray
    start_sample: np.ndarray
    n_samples: np.ndarray
    samples_left: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def longest(self) -> int:
        """Most samples from a unit's start to the end of its source; 0 without units."""
        return int(self.samples_left.max(initial=0))

    @property
    def shortest(self) -> int:
        """Fewest samples in a unit."""
        return int(self.n_samples.min())

    @property
    def longest_unit(self) -> int:
        """Most samples in a unit."""
        return int(self.n_samples.max())

    @property
    def mean_length(self) -> float:
        """Mean number of samples in a unit."""
        return float(self.n_samples.mean())

    def source_span(self, position: int) -> tuple[int, int]:
        """Return the first position of the source of a unit, and the one after its last."""
        number = self.source[position]
        first, stop = np.searchsorted(self.source, (number, number + 1))
        return int(first), int(stop)

    def expect(self, positions: np.ndarray, n_samples: np.ndarray) -> None:
        """Say which units will be looked at soon, and for how long each would be played, (n,).

        Here they are in memory; a table of units that are elsewhere fetches them now.
        """

    def find(self, ids: np.ndarray | Sequence[int] | int) -> np.ndarray:
        """Return the positions of unit ids, int64, in the same shape; -1 for unknown ids."""
        ids = np.asarray(ids, np.int64)
        if not len(self):
            return np.full(ids.shape, -1)
        last = len(self) - 1
        if self.ids[-1] - self.ids[0] == last:  # ids without gaps: no search is needed
            positions = np.clip(ids - self.ids[0], 0, last)
        else:
            positions = np.minimum(np.searchsorted(self.ids, ids), last)
        return np.where(self.ids[positions] == ids, positions, -1)

    def successors(self, positions: np.ndarray) -> np.ndarray:
        """Return the position of the unit that follows each in its source; -1 after the last."""
        goes_on = self.samples_left[positions] > self.n_samples[positions]
        return np.where(goes_on, positions + 1, -1)

    def after(self, positions: np.ndarray, n_samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Find the unit `n_samples` after the start of each unit, in the same source.

        Parameters
        ----------
        positions, n_samples : ndarray, int64, shape (n,)

        Returns
        -------
        there : ndarray, int64, shape (n,)
            Position of the unit that contains that sample; -1 beyond the end of the source.
        starting : ndarray, int64, shape (n,)
            The same if the unit starts exactly at that sample, else -1.
        """
        if (n_samples == self.n_samples[positions]).all():
            following = self.successors(positions)
            return following, following
        samples = self._starts_in_a_row[positions] + n_samples
        unit_there = np.searchsorted(self._starts_in_a_row, samples, side="right") - 1
        there = np.where(n_samples < self.samples_left[positions], unit_there, -1)
        starts_there = (there >= 0) & (self._starts_in_a_row[there] == samples)
        return there, np.where(starts_there, there, -1)

    @cached_property
    def _starts_in_a_row(self) -> np.ndarray:
        """The sample at which each unit would start if all sources were concatenated, int64."""
        source_lengths = self.samples_left[self.start_sample == 0]
        source_starts = np.cumsum(source_lengths) - source_lengths
        return source_starts[self.source] + self.start_sample


def tile_sources(
    sources: Sequence[Source], *, lengths: np.ndarray | None, hop_length: int
) -> Units:
    """Return the unit table of sources.

    Parameters
    ----------
    lengths : ndarray, int64, shape (n_units,), optional
        Samples in each unit. If None, units are frames of `hop_length` samples, and the last one
        of a source may be shorter.
    """
    first_id = np.array([source.first_unit for source in sources], np.int64)
    counts = np.array([source.n_units for source in sources], np.int64)
    source_samples = np.array([source.n_samples for source in sources], np.int64)
    first_position = np.cumsum(counts) - counts
    source = np.repeat(np.arange(len(counts)), counts)
    number_in_source = np.arange(counts.sum()) - first_position[source]
    if lengths is None:
        start = number_in_source * hop_length
        lengths = np.minimum(hop_length, source_samples[source] - start)
    else:
        start = np.cumsum(lengths) - lengths
        if len(start):
            start -= start[first_position][source]
    ids = first_id[source] + number_in_source
    return Units(ids, source, start, lengths, source_samples[source] - start)
