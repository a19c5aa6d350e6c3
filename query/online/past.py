"""What one voice has played so far, in memory that does not grow.

It tells which units may not come next, and what more they cost, as `query.rules` does for a path
that is searched as a whole.
"""

from collections import deque

import numpy as np

from db.unit_table import Units
from query.continuation_costs import MOVED_SECONDS
from query.greedy import NOTHING_BEFORE, Before, stop_playing
from query.online.choice import Wishes
from query.rules import LAG, NEAR, REST
from query.together import NEAR_SECONDS

LONG_AGO = -(1 << 62)  # sample at which a unit began that was never played


class OnlinePast:
    """The units that one voice has played.

    Attributes
    ----------
    whole_units : bool
        Whether a unit is played as long as it is, if a step lets it, and not as long as the step.
    last : int
        Position of the unit played last; `REST` if nothing is being played.
    now : int
        Samples played so far, with rests.
    run_samples : int
        Length of the current run of one source.
    n_steps : int
        Units and rests so far.
    before : Before
        What plays, and the units around where it stops.
    """

    def __init__(self, units: Units, sample_rate: int, *, whole_units: bool = False) -> None:
        self.whole_units = whole_units
        self.now = 0
        self.run_samples = 0
        self.n_steps = 0
        self.before = NOTHING_BEFORE
        self._units = units
        self._sample_rate = sample_rate
        self._last_samples = 0
        self._uses = np.zeros(len(units), np.int32)
        self._begun = np.full(len(units), LONG_AGO)
        self._lately: deque[int] = deque(maxlen=LAG)
        self._taken: list[tuple[tuple[int, int, Before, list[int], int, int], int, int]] = []
        units.after(np.zeros(1, np.int64), np.zeros(1, np.int64))  # slow the first time

    @property
    def last(self) -> int:
        return self.before.unit

    def following(self) -> int:
        """Return the unit that begins where the last one stops, in its source, or `REST`."""
        return self.before.starting

    def then(self, position: int, n_samples: int, *, goes_on: bool) -> None:
        """Take note of a unit, or a `REST`, that is played next, for so many samples.

        `goes_on` says whether it continues the run before it.
        """
        begun = self._begun[position] if position != REST else LONG_AGO
        self._taken.append((self._state(), position, begun))
        self.run_samples = n_samples + (self.run_samples if goes_on else 0)
        self._last_samples = n_samples
        self.before = stop_playing(self._units, position, n_samples)
        if position != REST:
            self._uses[position] += 1
            self._begun[position] = self.now
        self._lately.append(position)
        if len(self._lately) == LAG:
            self._count_neighbours(self._lately[0], 1)
        self.now += n_samples
        self.n_steps += 1

    def mark(self) -> None:
        """Let `take_back` return to this moment."""
        self._taken.clear()

    def take_back(self) -> None:
        """Forget what was played since the last `mark`, which `ran_on` must not have followed."""
        while self._taken:
            state, position, begun = self._taken.pop()
            if len(self._lately) == LAG:
                self._count_neighbours(self._lately[0], -1)
            if position != REST:
                self._uses[position] -= 1
                self._begun[position] = begun
            self._restore(state)

    def _state(self) -> tuple[int, int, Before, list[int], int, int]:
        lately = list(self._lately)
        return self.run_samples, self._last_samples, self.before, lately, self.now, self.n_steps

    def _restore(self, state: tuple[int, int, Before, list[int], int, int]) -> None:
        self.run_samples, self._last_samples, self.before, lately, self.now, self.n_steps = state
        self._lately = deque(lately, LAG)

    def ran_on(self, n_samples: int) -> None:
        """Take note that the last unit, or rest, was played for so many samples more."""
        self.run_samples += n_samples
        self._last_samples += n_samples
        self.before = stop_playing(self._units, self.last, self._last_samples)
        self.now += n_samples

    def _count_neighbours(self, position: int, uses: int) -> None:
        """Count more uses of the units close to a unit in its source; they sound alike."""
        if position == REST:
            return
        first = max(position - NEAR, 0)
        near = np.arange(first, min(position + NEAR + 1, len(self._units)))
        source = self._units.source
        beside = near[(source[near] == source[position]) & (near != position)]
        self._uses[beside] += uses

    def lasting(self, here: np.ndarray, n_samples: int) -> np.ndarray:
        """Return how long units will be played at a step that lasts `n_samples`, int64, (n,)."""
        if self.whole_units:
            return np.minimum(self._units.n_samples[here], n_samples)
        return np.full(len(here), n_samples)

    def costs(self, here: np.ndarray, wishes: Wishes) -> np.ndarray:
        """Return what units cost for what was played before, float64, (n,).

        It is infinite for units that must not be played: those that end too soon, and those that
        min_reuse, max_run or the wishes forbid. A unit longer than max_run may be played, but does
        not go on. In a frozen moment neither of the two holds.

        Parameters
        ----------
        here : ndarray, int64, shape (n,)
            Positions in any order.
        """
        costs = wishes.options.novelty * np.log2(1 + self._uses[here])
        costs[self._unplayable(here, wishes)] = np.inf
        if wishes.stay is None:
            costs[self._against_rules(here, wishes)] = np.inf
        if wishes.leave:
            costs[self._hardly_moves(here)] = np.inf
        for other in wishes.apart:
            costs[self._near(here, other)] = np.inf
        return costs

    def _unplayable(self, here: np.ndarray, wishes: Wishes) -> np.ndarray:
        """Return which units the filters or a frozen moment leave out, or end too soon."""
        units = self._units
        unplayable = np.zeros(len(here), bool)
        if not self.whole_units:
            least = wishes.least_samples or wishes.n_samples
            unplayable |= units.samples_left[here] < least
        if wishes.allowed is not None:
            unplayable |= ~wishes.allowed[here]
        if wishes.stay is not None:
            first, last = wishes.stay
            unplayable |= (here < first) | (here > last)
        return unplayable

    def _against_rules(self, here: np.ndarray, wishes: Wishes) -> np.ndarray:
        """Return which units min_reuse and max_run forbid."""
        options = wishes.options
        forbidden = self.now - self._begun[here] < options.min_reuse * self._sample_rate
        run = self.run_samples + self.lasting(here, wishes.n_samples)
        goes_on = (here == self.before.starting) & (self.last != REST)
        return forbidden | goes_on & (run > options.max_run * self._sample_rate)

    def _hardly_moves(self, here: np.ndarray) -> np.ndarray:
        """Return which units begin near the end of the last one in its source."""
        if self.last == REST:
            return np.zeros(len(here), bool)
        units = self._units
        end = units.start_sample[self.last] + self._last_samples
        far = np.abs(units.start_sample[here] - end) >= MOVED_SECONDS * self._sample_rate
        return (units.source[here] == units.source[self.last]) & ~far

    def _near(self, here: np.ndarray, other: int) -> np.ndarray:
        """Return which units begin near another one in its source."""
        if other == REST:
            return np.zeros(len(here), bool)
        units = self._units
        away = np.abs(units.start_sample[here] - units.start_sample[other])
        near = away <= NEAR_SECONDS * self._sample_rate
        return (units.source[here] == units.source[other]) & near
