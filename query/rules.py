"""The rules of a path: which units may not be played at a step, given what was played before.

The search checks all its hypotheses at once and leaves out what is forbidden. `query.explain`
checks the one path that was found, and names the rules.

`Novelty` is not a rule: it makes units that were played before cost more.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from db.unit_table import Units
from files.errors import ParameterError
from query.options import PathOptions

REST = -1  # in place of a unit
LAG = 32  # steps after which a unit of the best hypothesis counts as used for all hypotheses
NEAR = 2  # units on either side of a used unit that count as used too, since they sound alike

# the names of the rules, by the numbers that `Rules.forbid` returns
RULES = ("", "too short", "max_run", "min_reuse", "rest_threshold")
TOO_SHORT, MAX_RUN, MIN_REUSE, REST_THRESHOLD = range(1, len(RULES))


@dataclass
class Past:
    """The recent past of each hypothesis, one row each.

    Attributes
    ----------
    now : ndarray, int64, shape (n,)
        Samples played so far.
    run : ndarray, int64, shape (n,)
        Length of the current run of one source, in samples.
    recent : ndarray, int64, shape (n, window)
        The last units played, the latest at the end; `REST` before the first.
    begun : ndarray, int64, shape (n, window)
        The sample at which each of them began.
    """

    now: np.ndarray
    run: np.ndarray
    recent: np.ndarray
    begun: np.ndarray

    def keep(self, rows: np.ndarray) -> "Past":
        return Past(self.now[rows], self.run[rows], self.recent[rows], self.begun[rows])

    def then(self, positions: np.ndarray, n_samples: np.ndarray, goes_on: np.ndarray) -> "Past":
        """Return the past after one more unit each has been played for `n_samples`.

        `goes_on` is True where the unit continues the run before it.
        """
        run = np.where(goes_on, self.run, 0) + n_samples
        now = self.now + n_samples
        if not self.recent.shape[1]:
            return Past(now, run, self.recent, self.begun)
        recent = np.concatenate([self.recent[:, 1:], positions[:, None]], axis=1)
        begun = np.concatenate([self.begun[:, 1:], self.now[:, None]], axis=1)
        return Past(now, run, recent, begun)


class Rules:
    """The rules of one path.

    Attributes
    ----------
    options : PathOptions
    look_back : bool
        True if what may be played, or its cost, depends on more than the unit before.
    whole_units : bool
        True if a step lasts as long as its unit.
    locked : mapping of int to int
        The unit, as a position, or `REST` that some steps must play; no rule applies to them.
    """

    def __init__(
        self,
        options: PathOptions,
        units: Units,
        step_samples: np.ndarray,
        sample_rate: int,
        *,
        whole_units: bool = False,
        locked: Mapping[int, int] | None = None,
        n_units: int | None = None,
    ) -> None:
        """Take the rules from `options`.

        Parameters
        ----------
        step_samples : ndarray, int64, shape (steps,)
            The length that each step should have.
        n_units : int, optional
            How many there are, if they come at several transpositions: min_reuse holds for all.
        """
        self._n_units = n_units
        self.options = options
        self.look_back = options.looks_back
        self.whole_units = whole_units
        self.locked = locked or {}
        self._units = units
        self._max_run = options.max_run * sample_rate
        self._reuse_samples = options.min_reuse * sample_rate
        self._step_begins = np.cumsum(step_samples) - step_samples
        self._locked_steps = np.array(sorted(self.locked), np.int64)
        self._locked_units = np.array([self.locked[step] for step in sorted(self.locked)], np.int64)
        self._window = max(self._reuse_steps(), LAG if options.novelty else 0)

    def _reuse_steps(self) -> int:
        """Return the largest number of steps that can begin within min_reuse before a step."""
        if not self._reuse_samples:
            return 0
        begins = self._step_begins
        if self.whole_units:
            return min(int(np.ceil(self._reuse_samples / self._units.shortest)), len(begins))
        first_within = np.searchsorted(begins, begins - self._reuse_samples, side="right")
        return int((np.arange(len(begins)) - first_within).max() + 1)

    def begin(self) -> Past:
        """Return the past of a path that has played nothing yet."""
        nothing = np.zeros(1, np.int64)
        empty = np.full((1, self._window), REST)
        return Past(nothing, nothing, empty, np.zeros_like(empty))

    def n_samples(self, positions: np.ndarray, n_samples: np.ndarray) -> np.ndarray:
        """Return the length of units at steps that should last `n_samples`."""
        if self.whole_units:
            return self._units.n_samples[positions]
        return np.broadcast_to(n_samples, positions.shape)

    def too_short(self, positions: np.ndarray, n_samples: np.ndarray) -> np.ndarray:
        """Return whether the source of each unit ends within `n_samples`."""
        return self._units.samples_left[positions] < n_samples

    def forbid(
        self,
        step: int,
        past: Past,
        here: np.ndarray,
        n_samples: np.ndarray,
        going_on: tuple[np.ndarray, np.ndarray],
    ) -> np.ndarray:
        """Return the rule that forbids each candidate after each past, max_run or min_reuse.

        Parameters
        ----------
        here, n_samples : ndarray, int64, shape (n,)
            Candidates in ascending order, and the length of each.
        going_on : pair of ndarray
            Pasts whose run would continue, and the column in `here` of the unit that continues it.

        Returns
        -------
        ndarray, int8, shape (pasts, n)
            An index into `RULES`; 0 if no rule forbids it.
        """
        forbidden = np.zeros((len(past.run), len(here)), np.int8)
        if step in self.locked:
            return forbidden
        if np.isfinite(self._max_run):
            rows, columns = going_on
            over = past.run[rows] + n_samples[columns] > self._max_run
            forbidden[rows[over], columns[over]] = MAX_RUN
            forbidden[:, n_samples > self._max_run] = (
                MAX_RUN  # only whole units can be; steps are split
            )
        if self._reuse_samples:
            within = past.now[:, None] - past.begun < self._reuse_samples
            recent = np.where(within, past.recent, REST)
            shared = (recent == recent[0]).all(axis=0)  # pasts differ in their last steps only
            if self._n_units is not None:
                forbidden[self._at_any_transposition(step, recent, shared, here)] = MIN_REUSE
                return forbidden
            forbidden[:, _find_in(recent[:1, shared], here)[1]] = MIN_REUSE
            if not shared.all():
                forbidden[_find_in(recent[:, ~shared], here)] = MIN_REUSE
            if len(self.locked):
                forbidden[:, np.isin(here, self._locked_soon(step))] = MIN_REUSE
        return forbidden

    def _at_any_transposition(
        self, step: int, recent: np.ndarray, shared: np.ndarray, here: np.ndarray
    ) -> np.ndarray:
        """Return which candidates are, but for their transposition, in a past or locked soon.

        bool, (pasts, n); `shared` columns of `recent` are the same in all pasts.
        """
        n_units = self._n_units
        stored = np.where(recent == REST, REST, recent % n_units)
        units = here % n_units
        of_all = np.append(stored[0, shared], self._locked_soon(step) % n_units)
        last = stored[:, ~shared]
        return np.isin(units, of_all) | (last[:, :, None] == units).any(axis=1)

    def _locked_soon(self, step: int) -> np.ndarray:
        """Return the locked units of steps that begin within min_reuse after this step begins.

        Whole units are assumed to last as long as their steps should.
        """
        until = np.searchsorted(self._step_begins, self._step_begins[step] + self._reuse_samples)
        first, last = np.searchsorted(self._locked_steps, (step + 1, until))
        return self._locked_units[first:last]

    def check_left(
        self,
        step: int,
        costs: np.ndarray,
        what: str = "candidates",
        remedy: str = "consider more units with -k",
    ) -> None:
        """Raise a `ParameterError` if all that could be played at a step has an infinite cost.

        The message says `what` that is, and names a `remedy` besides the rules'.
        """
        if np.isfinite(costs).any():
            return
        names = []
        remedies = ""
        if self._reuse_samples:
            names.append(f"min_reuse={self.options.min_reuse:g} s")
            remedies += "lower min_reuse, "
        if np.isfinite(self._max_run):
            names.append(f"max_run={self.options.max_run:g} s")
            remedies += "raise max_run, "
        rules = " and ".join(names) or "the length of the step"
        verb = "leave" if len(names) > 1 else "leaves"
        raise ParameterError(
            f"step {step}: {rules} {verb} none of {len(costs)} {what} to play; {remedies}or"
            f" {remedy}"
        )


class Novelty:
    """The cost, within one search, of units that were played before."""

    def __init__(self, weight: float, units: Units) -> None:
        self._weight = weight
        self._source = units.source
        self._uses: dict[int, int] = {}

    def costs(self, past: Past, here: np.ndarray) -> np.ndarray:
        """Return the cost of candidates (ascending) after each past, (pasts, len(here))."""
        if not self._weight:
            return np.zeros((len(past.run), len(here)), np.float32)
        long_ago = [self._uses.get(position, 0) for position in here.tolist()]
        uses = np.tile(long_ago, (len(past.run), 1))
        lately = past.recent[:, -LAG + 1 :]
        np.add.at(uses, _find_in(lately, here), 1)
        return self._weight * np.log2(1 + uses)

    def count_use(self, past: Past, best: int) -> None:
        """Count one more use of the unit that the best hypothesis played `LAG` steps ago.

        Its neighbours in the source are counted as well.
        """
        if not self._weight:
            return
        position = int(past.recent[best, -LAG])
        if position == REST:
            return
        last = min(position + NEAR, len(self._source) - 1)
        near = np.arange(max(position - NEAR, 0), last + 1)
        for one in near[self._source[near] == self._source[position]].tolist():
            self._uses[one] = self._uses.get(one, 0) + 1


def cost_of_past(
    rules: Rules,
    novelty: Novelty,
    past: Past,
    step: int,
    here: np.ndarray,
    n_samples: np.ndarray,
    going_on: tuple[np.ndarray, np.ndarray],
) -> np.ndarray:
    """Return the cost of each candidate due to what was played before it, (pasts, len(here)).

    It is infinite where a rule forbids the candidate. Arguments are as for `Rules.forbid`.
    """
    cost = novelty.costs(past, here)
    cost[rules.forbid(step, past, here, n_samples, going_on) > 0] = np.inf
    return cost


def _find_in(values: np.ndarray, here: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the values (n, m) that are in `here`, ascending; return their rows and places in it."""
    columns = np.minimum(np.searchsorted(here, values), len(here) - 1)
    rows, places = np.nonzero(here[columns] == values)
    return rows, columns[rows, places]
