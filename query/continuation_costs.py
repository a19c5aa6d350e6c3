"""What units cost as the next step of a continuation.

A likelihood is turned into a distance, so that it can be added to join costs: a unit that is l nats
less likely than expected costs √(2 l), its distance in standard deviations if likelihood were a
normal distribution. Units that go on in their source join at no cost.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from query.contexts import Contexts
from query.gumbel import gumbel_noise
from query.rules import REST
from query.space import Space

FORECAST = 0.5  # weight of the forecaster's likelihoods
QUANTILE = 0.95
NOISE = 0.25  # random variation of costs at a temperature of 1
APART = 3.0  # cost of what another variation plays at the same step, or close to it in its source
NEAR = 8  # units
MOVED_SECONDS = 1.5  # a join to a place nearer in the same source only pretends to be one
STANDING = 20.0  # join cost added for it
NOISE_STRIDE = 1_000_003  # separates the random numbers of steps
NONE = -1


@dataclass(frozen=True)
class World:
    """The units that a continuation may be made of.

    Attributes
    ----------
    positions : ndarray, int64, shape (n,), ascending
    costs : ndarray, float32, shape (period, n)
        What each costs by itself; step t uses row t % period.
    """

    positions: np.ndarray
    costs: np.ndarray


class ContinuationCosts:
    """The costs of the units of a world; units are rows of the world.

    Parameters
    ----------
    seed : ndarray, float32, shape (steps, n_descriptors), raw
    temperature : float
    random_seed : int
    others : sequence of ndarray
        Paths of other variations, as rows of the world, to keep away from.
    """

    def __init__(
        self,
        space: Space,
        world: World,
        *,
        seed: np.ndarray,
        temperature: float,
        random_seed: int,
        others: Sequence[np.ndarray] = (),
    ) -> None:
        self._world = world
        self._seed = seed
        self._noise = temperature * NOISE
        self._random_seed = random_seed
        self._others = others
        self._units = space.database.units
        self._sample_rate = space.database.sample_rate
        self._contexts = Contexts(space, world.positions)
        self._following = self._find_following()

    def _find_following(self) -> np.ndarray:
        """Return the row of the unit that goes on in the source of each; NONE if there is none."""
        positions = self._world.positions
        following = self._units.successors(positions)
        rows = np.minimum(np.searchsorted(positions, following), len(positions) - 1)
        return np.where(positions[rows] == following, rows, NONE)

    def going_on(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return which of some units go on within the world, and the units that follow them.

        `NONE` and `REST` do not go on.
        """
        following = np.where(rows == NONE, NONE, self._following[rows])
        goes_on = np.flatnonzero(following != NONE)
        return goes_on, following[goes_on]

    def targets(
        self, step: int, scores: np.ndarray, going_on: tuple[np.ndarray, np.ndarray]
    ) -> np.ndarray:
        """Return what each unit costs each hypothesis, apart from its join, (hypotheses, n).

        Parameters
        ----------
        scores : ndarray, float32, shape (hypotheses, n)
            Log-likelihoods of the units, in nats.
        going_on : pair of ndarray
            The hypotheses whose unit goes on, and the unit that follows it.
        """
        costs = self.plain_targets(step, scores, going_on)
        if self._noise:
            numbers = self._world.positions + step * NOISE_STRIDE
            costs -= (self._noise * gumbel_noise(self._random_seed, numbers)).astype(np.float32)
        for other in self._others:
            if step < len(other) and other[step] != REST:
                near = slice(max(other[step] - NEAR, 0), other[step] + NEAR + 1)
                costs[:, near] += APART
        return costs

    def plain_targets(
        self, step: int, scores: np.ndarray, going_on: tuple[np.ndarray, np.ndarray]
    ) -> np.ndarray:
        """Return `targets` without random variation, and without other variations; at least 0."""
        expected = _expected_scores(scores, going_on)
        less_likely = np.maximum(expected[:, None] - scores, 0)
        return less_likely_costs(less_likely) + self._world.costs[step % len(self._world.costs)]

    def joins(self, rows: np.ndarray, going_on: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
        """Return the join cost of each unit after each of `rows`, (len(rows), n).

        `rows` are alike in whether anything was played: if not, units join the seed.
        """
        if rows[0] == NONE:
            return self._contexts.after_seed(self._seed)
        costs = self._contexts.after(rows)
        costs[self._hardly_moves(self._world.positions[rows])] += STANDING
        costs[going_on] = 0
        return costs

    def joins_after_unit(self, position: int) -> np.ndarray:
        """Return the join cost of each unit after one that is not of the world, (1, n)."""
        costs = self._contexts.after_unit(position)
        costs[self._hardly_moves(np.array([position]))] += STANDING
        return costs

    def _hardly_moves(self, before: np.ndarray) -> np.ndarray:
        """Return which units begin near the end of each of `before` in its source."""
        units = self._units
        after = self._world.positions
        ends = units.start_sample[before] + units.n_samples[before]
        seconds = np.abs(units.start_sample[after] - ends[:, None]) / self._sample_rate
        return (units.source[after] == units.source[before][:, None]) & (seconds < MOVED_SECONDS)


def less_likely_costs(nats: np.ndarray) -> np.ndarray:
    """Return the cost of being less likely by so much."""
    return FORECAST * np.sqrt(2 * nats)


def _expected_scores(scores: np.ndarray, going_on: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Return how likely what follows should be: as likely as what really follows in the source.

    Music is not the likeliest music. Where the source ends, it is a high quantile.
    """
    expected = np.quantile(scores, QUANTILE, axis=1)
    expected[going_on[0]] = scores[going_on]
    return expected
