"""What units cost a voice of a continuation that sounds at once with voices found before.

It listens to them: at each moment, a unit costs the more the less its pitch classes are those of
the units that the others play then. What another voice plays then is not played, and nothing near
it in its source; what another plays at some other time costs a little more.
"""

import numpy as np

from db.columns import columns_of
from db.unit_table import Units
from query.space import Space

HARMONY = 24.0  # cost of a unit whose chroma is unrelated to that of the other voices
AGAIN = 12.0  # cost of a unit that another voice plays at another time
NEAR_SECONDS = 1.0  # joins are moved by up to a quarter of a second in either voice


class Together:
    """The voices found so far, and what the units of a world cost another one.

    Parameters
    ----------
    space : Space
        Of a database with chroma.
    positions : ndarray, int64, shape (n,)
        The units of the world.
    """

    def __init__(self, space: Space, positions: np.ndarray) -> None:
        database = space.database
        names = database.settings.names
        columns = [names.index(name) for name in columns_of("chroma", n_mfcc=1).names]
        chroma = database.rows_at(positions)[:, columns]
        chroma = chroma - chroma.mean(axis=1, keepdims=True)
        lengths = np.linalg.norm(chroma, axis=1, keepdims=True)
        self._chroma = chroma / np.maximum(lengths, 1e-9)
        near = round(NEAR_SECONDS * database.sample_rate)
        self._near = _neighbours(database.units, positions, near)
        self._voices: list[tuple[np.ndarray, np.ndarray]] = []
        self._again = np.zeros(len(positions), np.float32)

    def add(self, path: np.ndarray, n_samples: np.ndarray) -> None:
        """Take note of a voice: rows of the world, and how long each is played, int64, (n,)."""
        self._voices.append((path, np.cumsum(n_samples)))
        played = np.zeros(len(self._again), bool)
        for row in path.tolist():
            played[self._near[row]] = True
        self._again[played] = AGAIN

    def costs(self, now: np.ndarray) -> np.ndarray:
        """Return what each unit costs at moments, in samples, float32, (moments, n)."""
        costs = np.tile(self._again, (len(now), 1))
        for path, ends in self._voices:
            at = np.minimum(np.searchsorted(ends, now, side="right"), len(path) - 1)
            agreement = self._chroma[path[at]] @ self._chroma.T
            costs += HARMONY / len(self._voices) * (1 - agreement)
            for costs_of_moment, row in zip(costs, path[at].tolist(), strict=True):
                costs_of_moment[self._near[row]] = np.inf
        return costs


def _neighbours(units: Units, positions: np.ndarray, near: int) -> list[slice]:
    """Return, for each row of a world, the rows that start within `near` samples in its source."""
    source = units.source[positions]
    far = units.longest + near
    starts = source * (far + 1) + units.start_sample[positions]
    first = np.searchsorted(starts, starts - near)
    stop = np.searchsorted(starts, starts + near, side="right")
    return [slice(*ends) for ends in zip(first.tolist(), stop.tolist(), strict=True)]
