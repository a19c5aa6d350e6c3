"""Join cost: how badly one unit goes on from another.

What would have followed a in its source is compared with b, by the same distance as targets are,
with the columns of level counting double; and, where the pitch of both is known, by the octaves
between them. If b is what follows, the cost is 0. After the end of a source nothing would have
followed: any b joins as well or badly as two units do that are drawn by chance, and so does the
start of a unit of which the middle would have followed.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from query.index import UnitIndex

LEVEL_COLUMNS = ("mfcc0", "loudness", "rms")
LEVEL = 2.0  # a step of level at a seam is heard before anything else
PITCH_COLUMN = "f0"
PITCH = 1.0  # distance that an octave is worth
AUDIBLE_HZ = 20.0  # lower: there is no pitch
# pairs of units drawn by chance
DRAWN = 1024
DRAWING_SEED = 0


@dataclass(frozen=True)
class Sounds:
    """What units are compared by at a join: vectors, float32, (n, d), and log2 of the pitch, (n,),
    NaN where there is none.
    """

    vectors: np.ndarray
    octave: np.ndarray | None

    def __getitem__(self, which: np.ndarray | slice) -> "Sounds":
        return Sounds(self.vectors[which], None if self.octave is None else self.octave[which])


class JoinCosts:
    """Join costs between units of an index."""

    def __init__(self, index: UnitIndex) -> None:
        self._index = index
        names = index.database.settings.names
        emphasis = np.array([LEVEL if name in LEVEL_COLUMNS else 1.0 for name in names], np.float32)
        self._emphasis = emphasis if (emphasis != 1).any() else None
        self._f0 = names.index(PITCH_COLUMN) if PITCH_COLUMN in names else None

    def sounds(self, positions: np.ndarray) -> tuple[np.ndarray, Sounds]:
        """Units at positions in `database.units`: as `UnitIndex.scores`, and as they are compared
        at joins.
        """
        rows = self._index.database.rows_at(positions)
        scores = self._index.compared(rows)
        octave = None
        if self._f0 is not None:
            f0 = rows[:, self._f0]
            octave = np.where(f0 > AUDIBLE_HZ, np.log2(np.maximum(f0, AUDIBLE_HZ)), np.nan)
        return scores, Sounds(scores if self._emphasis is None else scores * self._emphasis, octave)

    def between(self, expected: Sounds, offered: Sounds) -> np.ndarray:
        """Join cost of each of `offered` (m) where each of `expected` (n) would have followed,
        float32, (n, m).
        """
        cost = self._index.metric.between(expected.vectors, offered.vectors)
        if expected.octave is not None and offered.octave is not None:
            cost += _of_octaves(expected.octave[:, None], offered.octave)
        return cost

    @cached_property
    def by_chance(self) -> float:
        """Mean join cost of units drawn by chance."""
        pairs = np.random.default_rng(DRAWING_SEED).integers(
            len(self._index.database.units), size=(2, DRAWN)
        )
        (_, a), (_, b) = (self.sounds(positions) for positions in pairs)
        cost = self._index.metric.of_differences(a.vectors - b.vectors)
        if a.octave is not None and b.octave is not None:
            cost = cost + _of_octaves(a.octave, b.octave)
        return float(cost.mean())

    def to_each(self, before: np.ndarray, lasting: np.ndarray, after: np.ndarray) -> np.ndarray:
        """Join cost of each of `after`, (n, k), where each of `before` was played for `lasting`
        samples, (n,); float32, (n, k).

        All are positions in `database.units`, or -1 for a rest. 0 for what starts there in its
        source, and beside a rest.
        """
        sounding, starting = self._index.database.units.after(before, lasting)
        _, expected = self.sounds(np.maximum(sounding, 0))
        _, offered = self.sounds(after.ravel())
        difference = (
            offered.vectors.reshape(*after.shape, expected.vectors.shape[1])
            - expected.vectors[:, None]
        )
        cost = self._index.metric.of_differences(difference).astype(np.float32)
        if expected.octave is not None and offered.octave is not None:
            cost += _of_octaves(expected.octave[:, None], offered.octave.reshape(after.shape))
        cost[(sounding < 0)[:, None] | (after == sounding[:, None])] = self.by_chance
        cost[(before < 0)[:, None] | (after < 0) | (after == starting[:, None])] = 0
        return cost


def _of_octaves(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """What the octaves between pitches cost; nothing where one has none."""
    return PITCH * np.nan_to_num(np.abs(a - b))
