"""Go on by oneself: a closed loop (`query.closed_loop`) that is played while it is found.

One path is followed, by what costs least at each step. A search of a whole continuation finds by
trying where a run is best left before a rule ends it; here that is not known, and joins cost up to
a sixth more.
"""

import numpy as np

from query.closed_loop import Scorer
from query.contexts import units_after
from query.continuation_costs import NOISE, NOISE_STRIDE, NONE, ContinuationCosts, World
from query.greedy import vectors_after
from query.gumbel import gumbel_noise
from query.online.choice import NOTHING, Choice, Wishes
from query.online.harmony import Harmony
from query.online.past import OnlinePast
from query.rules import REST
from query.space import Space

DRAWN = 1024  # units at random, of which the filters leave some
ELSEWHERE = 64  # units drawn at random, where none of the world may be played

_GoingOn = tuple[np.ndarray, np.ndarray]


class OnlineLoop:
    """Chooses how one line goes on, among the units of a world.

    It needs a fixed amount of memory, however long it plays. What is played is heard by the
    scorer, if it is of the world.

    Attributes
    ----------
    world : World
        The units that it chooses among, from `begin` on.
    """

    def __init__(self, space: Space, scorer: Scorer | None = None) -> None:
        """Take what scores units; without it, joins, style and chance choose."""
        self._space = space
        self._scorer = scorer
        self._harmony = Harmony(space.database.settings)
        self._n_heard: int | None = None  # steps of the past that were heard, or came before
        self._began = 0

    def begin(self, seed: np.ndarray, world: World) -> None:
        """Hear a seed and take the units that may be played.

        This takes some 0.1 s: it is done beside, before the first choice.

        Parameters
        ----------
        seed : ndarray, float32, shape (steps, n_descriptors), raw
        world : World

        Raises
        ------
        ParameterError
            If the seed or the units do not suit the scorer.
        """
        database = self._space.database
        positions = world.positions
        self.world = world
        self._positions = positions
        self._rows = database.rows_at(positions)
        self._n_samples = database.units.n_samples[positions]
        self._costs = ContinuationCosts(self._space, world, seed=seed, temperature=0, random_seed=0)
        nobody = np.empty(0, np.int64)
        self._after_seed = self._costs.joins(np.array([NONE]), (nobody, nobody))[0]
        if self._scorer:
            following = units_after(database, positions, self._scorer.n_following)
            self._scorer.begin(seed, self._rows, following)

    def choose(self, past: OnlinePast, wishes: Wishes) -> Choice:
        """Return the unit to be played next; hear what has been played since the last choice.

        If nothing of the world may be played, units from elsewhere are offered; if the rules forbid
        these as well, the rules do not hold. Only filters are always kept to.
        """
        self._hear(past)
        costs = past.costs(self._positions, wishes)
        if not np.isfinite(costs).any():
            return self._choose_elsewhere(past, wishes)
        row = self._row(past.following())
        going_on = _goes_on(row)
        targets = self._targets(past, wishes, going_on)
        joins = self._joins(past, going_on)
        costs += targets + wishes.options.continuity * joins
        costs += self._harmony.costs(self._rows, self._n_samples, wishes)
        costs -= self._noise(past, wishes)
        best = int(costs.argmin())
        return Choice(int(self._positions[best]), float(targets[best]), float(joins[best]))

    def _hear(self, past: OnlinePast) -> None:
        """Let the scorer hear the last unit, once."""
        if self._n_heard is None:
            self._began = past.now
        elif past.n_steps > self._n_heard and self._scorer:
            row = self._row(past.last)
            if row != NONE:
                now = np.array([past.now - self._began])
                self._scorer.advance(np.zeros(1, np.int64), np.array([row]), now)
        self._n_heard = past.n_steps

    def _row(self, position: int) -> int:
        """Return the row of a unit, or of a `REST`, in the world; `NONE` if it is not there."""
        row = int(self._positions.searchsorted(position))
        is_there = row < len(self._positions) and self._positions[row] == position
        return row if is_there else NONE

    def _targets(self, past: OnlinePast, wishes: Wishes, going_on: _GoingOn) -> np.ndarray:
        """Return what units cost by themselves, float32, (n,)."""
        scores = np.zeros((1, len(self._positions)), np.float32)
        if self._scorer:
            scores = self._scorer.scores()
        targets = self._costs.plain_targets(0, scores, going_on)[0]
        if past.whole_units:  # short units must not count more per second
            lasting = past.lasting(self._positions, wishes.n_samples)
            targets *= (lasting / lasting.mean()).astype(np.float32)
        return targets

    def _joins(self, past: OnlinePast, going_on: _GoingOn) -> np.ndarray:
        """Return the join cost of each unit, (n,)."""
        if past.last == REST:
            return self._after_seed
        row = self._row(past.last)
        if row == NONE:
            joins = self._costs.joins_after_unit(past.last)
            joins[going_on] = 0
            return joins[0]
        return self._costs.joins(np.array([row]), going_on)[0]

    def _noise(self, past: OnlinePast, wishes: Wishes) -> np.ndarray | float:
        temperature = wishes.options.temperature
        if not temperature:
            return 0.0
        numbers = self._positions + past.n_steps * NOISE_STRIDE
        return NOISE * temperature * gumbel_noise(wishes.options.random_seed, numbers)

    def _choose_elsewhere(self, past: OnlinePast, wishes: Wishes) -> Choice:
        """Return the best of some units of the whole database, or `NOTHING`."""
        here = self._draw(past, wishes)
        if not len(here):
            return NOTHING
        here = np.union1d(here, self._positions)
        for wanted in (wishes, wishes.without_rules()):
            costs = past.costs(here, wanted)
            if np.isfinite(costs).any():
                break
        else:
            return NOTHING
        _, joins = vectors_after(self._space.joins, here, past.before)
        costs += wishes.options.continuity * joins
        rows = self._space.database.rows_at(here)
        costs += self._harmony.costs(rows, self._space.database.units.n_samples[here], wishes)
        best = int(costs.argmin())
        return Choice(int(here[best]), 0.0, float(joins[best]))

    def _draw(self, past: OnlinePast, wishes: Wishes) -> np.ndarray:
        """Return units that the filters and a frozen moment leave, some at random."""
        if wishes.stay is not None:
            return np.arange(wishes.stay[0], wishes.stay[1] + 1)
        n_units = len(self._space.database.units)
        random = np.random.default_rng([wishes.options.random_seed % 2**32, past.n_steps])
        drawn = np.unique(random.integers(n_units, size=DRAWN))
        if wishes.allowed is not None:
            drawn = drawn[wishes.allowed[drawn]]
            if not len(drawn):  # the filters leave very little
                drawn = np.flatnonzero(wishes.allowed)[:DRAWN]
        return random.permutation(drawn)[:ELSEWHERE]


def _goes_on(row: int) -> _GoingOn:
    """Return that the one hypothesis goes on with a row, or does not."""
    if row == NONE:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    return np.zeros(1, np.int64), np.array([row])
