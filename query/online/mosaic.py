"""Choose the next unit of a mosaic: near what is heard now, and joined well to what plays.

The costs are those of the greedy search (`query.greedy`): the candidates are the nearest units and
the one that goes on, and the cheapest is played.
"""

import numpy as np

from db.settings import DURATION, METRICAL, DescriptorSettings
from files.progress import Progress, no_progress
from query.greedy import vectors_after
from query.gumbel import gumbel_noise
from query.index import UnitIndex
from query.online.choice import NOTHING, Choice, Wishes
from query.online.harmony import Harmony
from query.online.past import OnlinePast
from query.options import DEFAULT_K
from query.rules import REST
from query.space import Space

LIVE_FLAT = 100_000  # units that are compared one by one, in 0.8 ms
# nearest units considered where harmony or metre is asked for, and where the rules forbid all
WIDER = 128
WIDEST = 256
ELSEWHERE = 64  # units at random, of which some may be played when no near one may


def online_weights(settings: DescriptorSettings) -> dict[str, float]:
    """Return weights that leave out the columns that are not known while a sound comes in."""
    return {name: 0.0 for name in (DURATION, *METRICAL) if name in settings.names}


def online_index(
    space: Space,
    *,
    min_samples: int = 1,
    progress: Progress = no_progress,
) -> UnitIndex:
    """Return an index that finds the units near one target quickly; raises as `UnitIndex`."""
    return UnitIndex(space, min_samples=min_samples, flat_units=LIVE_FLAT, progress=progress)


class OnlineMosaic:
    """Chooses units by their descriptors."""

    def __init__(self, index: UnitIndex) -> None:
        self._index = index
        self._space = index.space
        self._units = index.database.units
        self._harmony = Harmony(index.database.settings)
        self._get_ready()

    def _get_ready(self) -> None:
        """Read and make what would be at the first choices, and slow them down."""
        database = self._space.database
        database.rows.check(np.arange(len(database.sources)))
        self._index.search(database.normaliser.mean[None], k=1)
        _ = self._space.joins.by_chance

    @property
    def index(self) -> UnitIndex:
        return self._index

    @property
    def space(self) -> Space:
        return self._space

    def changed(
        self, *, allowed: np.ndarray | None = None, weights: dict[str, float] | None = None
    ) -> "OnlineMosaic":
        """Return this for other units that pass the filters, or for other weights.

        Raises as `UnitIndex.allowing` and `query.weights.weight_columns`.
        """
        index = self._index
        if allowed is not None:
            index = index.allowing(allowed)
        if weights is not None:
            metric = str(self._space.metric)
            index = index.weighing(Space(index.database, weights=weights, metric=metric))
        return OnlineMosaic(index)

    def choose(self, target: np.ndarray, past: OnlinePast, wishes: Wishes) -> Choice:
        """Return the unit to be played next.

        If the rules forbid all candidates, more are considered, and some from anywhere. If they
        forbid these as well, the rules do not hold: something that the filters leave is played.

        Parameters
        ----------
        target : ndarray, float32, shape (n_descriptors,), raw
        """
        target = self._harmony.aim(np.asarray(target, np.float32), wishes)
        k = WIDER if wishes.goes_along else DEFAULT_K
        found = self._choose_near(target, k, past, wishes)
        if found.position == REST:
            found = self._choose_near(target, WIDEST, past, wishes, elsewhere=ELSEWHERE)
        if found.position == REST:
            found = self._choose_near(target, DEFAULT_K, past, wishes.without_rules())
        return found

    def _choose_near(
        self, target: np.ndarray, k: int, past: OnlinePast, wishes: Wishes, *, elsewhere: int = 0
    ) -> Choice:
        """Return the best of the k nearest units and what goes on, or `NOTHING`."""
        here = self._candidates(target, k, past, wishes)
        if elsewhere:
            seed = [wishes.options.random_seed % 2**32, past.n_steps]
            here = np.union1d(here, self._index.draw(elsewhere, seed))
        return self._best(target, here, past, wishes)

    def _candidates(
        self, target: np.ndarray, k: int, past: OnlinePast, wishes: Wishes
    ) -> np.ndarray:
        """Return the nearest units, and the one that goes on, in ascending order."""
        if wishes.stay is not None:
            first, last = wishes.stay
            return np.arange(first, last + 1)
        nearest = self._index.search(target[None], k=min(k, len(self._index))).positions[0]
        following = past.following()
        if following == REST or not self._index.allowed[following]:
            return np.sort(nearest)
        return np.union1d(nearest, following)

    def _best(
        self, target: np.ndarray, here: np.ndarray, past: OnlinePast, wishes: Wishes
    ) -> Choice:
        """Return the cheapest of some units, or `NOTHING` if none may be played."""
        costs = past.costs(here, wishes)
        playable = np.isfinite(costs)
        if not playable.any():
            return NOTHING
        here = here[playable]
        options = wishes.options
        vectors, joins = vectors_after(self._space.joins, here, past.before)
        distances = self._space.target_costs(here, vectors, self._space.vectors(target))
        costs = costs[playable] + distances + options.continuity * joins
        if options.temperature:
            # here - step stays the same along a run, and so does its noise
            noise = gumbel_noise(options.random_seed, here - past.n_steps)
            costs -= options.temperature * noise
        if wishes.goes_along:
            rows = self._space.database.rows_at(here)
            costs += self._harmony.costs(rows, self._units.n_samples[here], wishes)
        best = int(costs.argmin())
        return Choice(int(here[best]), float(distances[best]), float(joins[best]))
