"""How well one unit joins another in context.

    source of a:  …  a-1   a  | a+1          join cost of a and b = distance between what would
    source of b:  …  b-2  b-1 |  b           have been heard and what is heard: (a-1, a, a+1) and
                                             (b-2, b-1, b), the latest counting most

If what came before sounds alike in both places, b goes on as a could have. Factor oracles (Assayag
& Dubnov 2004) jump between such places, too, but only where contexts are equal as symbols. The
styles of both passages count as well (`query.style`), so that a join does not change the sound.
"""

import numpy as np

from db.database import Database
from query.space import Space
from query.style import passage_styles

CONTEXT_STEPS = 4  # units compared before the join, besides the one after it
STYLE = 1.0  # weight of the squared distance of the styles of both passages
DECAY = 0.6  # weight of each unit further back, relative to the one after it


class Contexts:
    """Join costs in context between the units that may be played.

    Parameters
    ----------
    space : Space
    positions : ndarray, int64, shape (n,), ascending
        The units that may be played.
    """

    def __init__(self, space: Space, positions: np.ndarray) -> None:
        self._space = space
        weights = DECAY ** np.arange(CONTEXT_STEPS + 1)
        self._weights = np.sqrt(weights / weights.sum()).astype(np.float32)
        styles = np.sqrt(np.float32(STYLE)) * passage_styles(space, positions)
        self._offered = np.concatenate([self._gather(positions, newest=0), styles], axis=1)
        self._offered_squared = (self._offered**2).sum(axis=1)
        self._expected = np.concatenate([self._gather(positions, newest=1), styles], axis=1)

    def after(self, rows: np.ndarray) -> np.ndarray:
        """Return the join cost from units to all, (len(rows), n); all are rows of `positions`."""
        return self._between(self._expected[rows])

    def after_unit(self, position: int) -> np.ndarray:
        """Return the join cost from any unit to all, (1, n); styles are not compared."""
        expected = self._gather(np.array([position]), newest=1)
        difference = self._offered[:, : expected.shape[1]] - expected
        return np.sqrt((difference**2).sum(axis=1))[None]

    def after_seed(self, seed: np.ndarray) -> np.ndarray:
        """Return the join cost from the end of a raw seed (steps, n_descriptors) to all, (1, n).

        What would have followed the seed is not known: only what came before is compared.
        """
        vectors = self._space.vectors(seed[-CONTEXT_STEPS:].astype(np.float32))
        known = np.zeros((CONTEXT_STEPS + 1, vectors.shape[1]), np.float32)
        known[1 : len(vectors) + 1] = vectors[::-1]
        compared = np.zeros(CONTEXT_STEPS + 1, np.float32)
        compared[1 : len(vectors) + 1] = self._weights[1 : len(vectors) + 1]
        compared /= np.sqrt((compared**2).sum())
        shape = (len(self._offered), CONTEXT_STEPS + 1, -1)
        width = (CONTEXT_STEPS + 1) * vectors.shape[1]
        offered = self._offered[:, :width].reshape(shape) / self._weights[:, None]
        difference = (offered - known) * compared[:, None]
        return np.sqrt((difference**2).sum(axis=(1, 2)))[None].astype(np.float32)

    def _between(self, expected: np.ndarray) -> np.ndarray:
        squared = (expected**2).sum(axis=1)[:, None] + self._offered_squared
        squared -= 2 * expected @ self._offered.T
        return np.sqrt(np.maximum(squared, 0))

    def _gather(self, positions: np.ndarray, *, newest: int) -> np.ndarray:
        """Return the weighted vectors of the units from `newest` after each back to its context.

        A unit beyond either end of the source counts as the mean of the corpus, which is 0.
        """
        units = self._space.database.units
        last = len(units) - 1
        columns = []
        for back in range(CONTEXT_STEPS + 1):
            there = positions + newest - back
            inside = np.clip(there, 0, last)
            exists = (there == inside) & (units.source[inside] == units.source[positions])
            vectors = self._space.unit_vectors(inside)
            columns.append(vectors * (self._weights[back] * exists[:, None]))
        return np.concatenate(columns, axis=1, dtype=np.float32)


def units_after(database: Database, positions: np.ndarray, n_following: int) -> np.ndarray:
    """Return the raw descriptors of the units that follow each in its source.

    Returns
    -------
    ndarray, float32, shape (len(positions), n_following, n_descriptors)
        NaN where the source has ended.
    """
    shape = (len(positions), n_following, database.settings.n_descriptors)
    following = np.full(shape, np.nan, np.float32)
    source = database.units.source
    for k in range(n_following):
        there = np.minimum(positions + k + 1, len(source) - 1)
        goes_on = (there > positions + k) & (source[there] == source[positions])
        following[goes_on, k] = database.rows_at(there[goes_on])
    return following
