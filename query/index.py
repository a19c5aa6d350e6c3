"""Nearest units of each step of a sequence, in the space of z-scored, weighted descriptors.

FAISS proposes, exact arithmetic decides: for many queries at once FAISS computes |x|² + |y|² - 2xy in float32, which reads
identical vectors as slightly apart. The proposals are measured again as |x - y| and ordered by distance, then by unit.
"""

from dataclasses import dataclass

import faiss
import numpy as np

from db.database import Database
from db.errors import ParameterError
from query.filters import Filters, select_units
from query.weights import weight_columns

SPARE = 8  # proposals beyond k, so that rounding cannot push a true neighbour out
RANK_STEPS = 1024  # steps measured again at a time; bounds memory


@dataclass(frozen=True)
class Matches:
    """The k nearest units of each step.

    Attributes
    ----------
    units : ndarray, int64, shape (steps, k)
        Unit ids, nearest first; ties by id.
    distances : ndarray, float32, shape (steps, k)
        Euclidean distance of z-scored, weighted descriptors.
    """

    units: np.ndarray
    distances: np.ndarray


class UnitIndex:
    """Exact search over the units of a database.

    Attributes
    ----------
    database : Database
    scores : ndarray, float32, shape (n_units, n_descriptors)
        z-scored and weighted descriptors of all units, ordered as `database.units`.
    allowed : ndarray, bool, shape (n_units,)
        Which of them pass the filters: only these are found, or played because they follow on.
    """

    def __init__(
        self, database: Database, *, min_samples: int = 1, filters: Filters | None = None,
        weights: dict[str, float] | None = None,
    ) -> None:  # fmt: skip
        """Index the units that pass the filters, with `min_samples` of sound from their start to the end of their source.

        Raises
        ------
        DatabaseError
            If the database holds no units.
        ParameterError
            If no unit has as much, or as `filters.select_units` and `weights.weight_columns`.
        """
        self.database = database
        self._factors = weight_columns(database.settings, weights or {})
        self.scores = database.normaliser.apply(database.descriptors) * self._factors
        units = database.units
        self.allowed, _ = select_units(database, filters or Filters())
        long_enough = self.allowed & (units.room >= min_samples)
        if not long_enough.any():
            most = units.room[self.allowed].max()
            raise ParameterError(
                f"{database.path}: no source lasts {min_samples} samples (the longest: {most}); add longer audio"
            )
        self._faiss = faiss.IndexIDMap2(faiss.IndexFlatL2(self.scores.shape[1]))
        self._faiss.add_with_ids(self.scores[long_enough], units.ids[long_enough])

    def __len__(self) -> int:
        """Number of units that can be found."""
        return self._faiss.ntotal

    def positions(self, unit_ids: np.ndarray) -> np.ndarray:
        """Rows of `database.units` and `scores` for unit ids, same shape."""
        return np.searchsorted(self.database.units.ids, unit_ids)

    def search(self, sequence: np.ndarray, *, k: int) -> Matches:
        """The k nearest units of each step.

        Parameters
        ----------
        sequence : ndarray, float32, shape (steps, n_descriptors), raw
        k : int, 1 to len(self)

        Raises
        ------
        ParameterError
            If k is out of range, or the sequence is empty, of another width, or not finite.
        """
        targets = self.normalise(sequence)
        if not 1 <= k <= len(self):
            raise ParameterError(f"k={k} must be between 1 and {len(self)}, the number of units in {self.database.path}")
        _, proposed = self._faiss.search(targets, min(k + SPARE, len(self)))
        units, distances = np.empty((len(targets), k), np.int64), np.empty((len(targets), k), np.float32)
        for start in range(0, len(targets), RANK_STEPS):
            span = slice(start, start + RANK_STEPS)
            difference = self.scores[self.positions(proposed[span])] - targets[span, None]
            exact = np.sqrt(np.einsum("skd,skd->sk", difference, difference))
            order = np.lexsort((proposed[span], exact), axis=1)[:, :k]
            units[span] = np.take_along_axis(proposed[span], order, axis=1)
            distances[span] = np.take_along_axis(exact, order, axis=1)
        return Matches(units, distances)

    def normalise(self, sequence: np.ndarray) -> np.ndarray:
        """z-score and weigh a raw sequence after checking it; raises as `search`."""
        sequence = np.asarray(sequence, np.float32)
        width = self.scores.shape[1]
        if sequence.ndim != 2 or sequence.shape[1] != width:
            raise ParameterError(
                f"a sequence of shape {sequence.shape} does not fit {self.database.path}: it must be (steps, {width})"
            )
        if not len(sequence):
            raise ParameterError("the sequence has 0 steps; it must have at least one")
        if not np.isfinite(sequence).all():
            raise ParameterError(
                f"step {int(np.argwhere(~np.isfinite(sequence))[0, 0])} of the sequence is not finite; make it again"
            )
        return self.database.normaliser.apply(sequence) * self._factors
