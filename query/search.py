"""From candidates to one path: the units that fit the sequence and each other (Hunt & Black 1996,
unit selection).

    step        t-1              t
             a1 ─────┐      b1 = what follows a1: join cost 0
             a2 ───┐ └────► b2      otherwise: distance from what follows a in its source to b
             a3    └──────► b3

cost of a path = sum of target costs (step to unit) + continuity · sum of join costs

A search carries hypotheses: paths up to here, each ending in another candidate. For every candidate
of the next step it finds the hypothesis from which that is reached at the least cost, and carries
on the best of the results: all of them (viterbi), `BEAM` of them (beam), or one (greedy). As long
as no rule looks back, carrying all is exact: the path of least cost (Viterbi 1967, IEEE Trans. Inf.
Theory 13(2)).

Each step's candidates are its k nearest units and the successors of the k / 4 best hypotheses, so
that a run can go on where it is only the second-best fit everywhere; viterbi and beam consider what
greedy would, too, and are never worse.

A step that lasts longer than any of its nearest units' recordings go on, or than max_run, is split;
one that nothing fits may rest. A locked step has one candidate, whatever the rules say, and the
others find their way through it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from files.errors import ParameterError
from query.gumbel import gumbel_noise
from query.index import UnitIndex
from query.joins import JoinCosts, Sounds
from query.locked_steps import locate_locked
from query.options import DEFAULT_K, PathOptions
from query.rules import NEAR, REST, Past, Rules

BEAM = 16  # hypotheses
TOLD_STEPS = 1024  # between words of progress
_TRUE = np.ones(1, bool)


@dataclass
class _Hypotheses:
    """Paths up to a step, one row each."""

    positions: (
        np.ndarray
    )  # int64 (n,): the unit it ends in, as a row of `database.units`; a rest is one row, REST
    cost: np.ndarray  # float64 (n,)
    next: np.ndarray  # int64 (n,): the unit that comes next in its source, -1 after the last
    follows: (
        np.ndarray
    )  # int64 (n,): the unit that starts in its source where it stops playing; -1: none does
    sounding: np.ndarray  # int64 (n,): the unit that would sound in its source then; -1: it is over
    expected: Sounds | None  # what that sounds like
    past: Past | None = None  # where rules look back
    greedy: int = 0  # the row that `run(1)` would have found

    def best(self, n: int) -> np.ndarray:
        return np.argsort(self.cost, kind="stable")[:n]

    def keep(self, rows: np.ndarray) -> "_Hypotheses":
        assert self.expected is not None
        past = self.past and self.past.keep(rows)
        greedy = int(np.searchsorted(rows, self.greedy))
        return _Hypotheses(
            self.positions[rows],
            self.cost[rows],
            self.next[rows],
            self.follows[rows],
            self.sounding[rows],
            self.expected[rows],
            past,
            greedy,
        )


class Search:
    """What is the same for every search of one sequence; and what earlier paths played."""

    def __init__(
        self,
        index: UnitIndex,
        sequence: np.ndarray,
        options: PathOptions,
        step_samples: np.ndarray,
        whole_units: bool,
        locked: Mapping[int, int],
    ) -> None:
        self.options = options
        self.index = index
        self.units = index.database.units
        self.joins = JoinCosts(index)
        self.whole_units = whole_units
        self.fill = not whole_units
        self.k = min(DEFAULT_K, len(index)) if options.k is None else options.k
        self.matches = index.search(sequence, k=self.k)
        of_step = index.positions(self.matches.units)
        held = locate_locked(self.units, locked, step_samples, whole_units=whole_units)
        self.steps, self.lasting = self._split(np.asarray(step_samples), of_step, list(held))
        self.targets = index.compared(np.asarray(sequence, np.float32))[self.steps]
        nearest = np.sort(of_step, axis=1)[self.steps]
        self.nearest: list[np.ndarray] = list(nearest)
        if self.fill:
            lasts = self.units.room[nearest] >= self.lasting[:, None]
            self.nearest = [row[enough] for row, enough in zip(nearest, lasts, strict=True)]
        self.rests = (self.matches.distances[:, 0] > options.rest_threshold)[self.steps]
        self.locked = self._lock(held)
        if self.rests.all() and len(self.locked) < len(self.steps):
            raise ParameterError(
                f"rest_threshold={options.rest_threshold:g} leaves nothing to play: the nearest"
                f" unit of any step is {self.matches.distances[:, 0].min():.3g} away; raise it"
            )
        self.earlier: list[np.ndarray] = []

    def _split(
        self, step_samples: np.ndarray, nearest: np.ndarray, locked: list[int]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Steps in parts that one of the nearest units at least can fill, none above max_run, but
        locked ones as they are: step and samples of each."""
        if self.whole_units:
            return np.arange(len(step_samples)), step_samples
        longest = self.units.room[nearest].max(axis=1)
        if np.isfinite(self.options.max_run):
            longest = np.minimum(
                longest, max(int(self.options.max_run * self.index.database.sample_rate), 1)
            )
        n_parts = -(-step_samples // longest)
        n_parts[locked] = 1
        steps = np.repeat(np.arange(len(step_samples)), n_parts)
        part = np.arange(len(steps)) - np.repeat(np.cumsum(n_parts) - n_parts, n_parts)
        total = step_samples[steps]
        parts = n_parts[steps]
        return steps, (part + 1) * total // parts - part * total // parts

    def _lock(self, held: dict[int, int]) -> dict[int, int]:
        """Leave one candidate, or none but a rest, to steps that are held: the position of each, by
        its part.
        """
        locked = (
            {part: held[step] for part, step in enumerate(self.steps.tolist()) if step in held}
            if held
            else {}
        )
        for part, position in locked.items():
            self.nearest[part] = np.array([position])
            self.rests[part] = position == REST
        return locked

    def fill_steps(self) -> None:
        """Consider only units that could go on for as long as the step from now on, where one of
        the nearest could.
        """
        self.fill = True
        lasts = [
            self.units.room[near] >= lasting
            for near, lasting in zip(self.nearest, self.lasting, strict=True)
        ]
        self.nearest = [
            near[long] if long.any() else near
            for near, long in zip(self.nearest, lasts, strict=True)
        ]

    def best(self) -> tuple[np.ndarray, float]:
        """The best path that is not like an earlier one, as positions in `database.units`,
        (parts,), and its cost.
        """
        width = {"viterbi": None, "beam": BEAM, "greedy": 1}[self.options.search]
        if width == 1 or not self.options.looks_back:
            positions, cost = self.run(width, follow_greedy=width != 1)
        else:
            positions, cost = self._best_with_rules(width)
        if self.earlier:
            cost -= sum(
                float(self._likeness(step, positions[step : step + 1])[0])
                for step in range(len(positions))
            )
        self.earlier.append(positions)
        return positions, cost

    def _best_with_rules(self, width: int | None) -> tuple[np.ndarray, float]:
        """What `run` finds, or greedy's path where that is cheaper: with rules, carrying all
        hypotheses is not exact.
        """
        try:
            greedy = self.run(1)
        # a dead end; where others go on it does not matter, and where none does, the next line says
        # so
        except ParameterError:
            return self.run(width)
        try:
            return min(self.run(width, offered=greedy[0]), greedy, key=lambda of_run: of_run[1])
        # each candidate carries one past only, and all of these may forbid what greedy's does not
        except ParameterError:
            return greedy

    @cached_property
    def _spread(self) -> float:
        """How much the target costs of a step's candidates differ; a little at least, where all are
        alike.
        """
        distances = self.matches.distances
        return max(float((distances[:, -1] - distances[:, 0]).mean()), 1e-3)

    def _likeness(self, step: int, here: np.ndarray) -> np.ndarray:
        """What candidates cost for being like what earlier paths play at this step."""
        played = [path[step] for path in self.earlier if path[step] != REST]
        source = self.units.source
        like = ((np.abs(here - unit) <= NEAR) & (source[here] == source[unit]) for unit in played)
        return self._spread * sum(like, np.zeros(len(here)))

    def run(
        self, width: int | None, *, offered: np.ndarray | None = None, follow_greedy: bool = False
    ) -> tuple[np.ndarray, float]:
        """The best path found with `width` hypotheses (None: one for each candidate), and its cost.

        Parameters
        ----------
        offered : ndarray, int64, shape (steps,), optional
            A path that is considered besides.
        follow_greedy : bool
            Consider the path that `run(1)` would find besides, found on the way; only where no rule
            looks back.
        """
        nothing = np.full(1, REST)
        rules = None
        if self.options.looks_back:
            rate = self.index.database.sample_rate
            rules = Rules(
                self.options,
                self.units,
                self.lasting,
                rate,
                whole_units=self.whole_units,
                locked=self.locked,
            )
        state = _Hypotheses(
            nothing, np.zeros(1), nothing, nothing, nothing, None, rules.begin() if rules else None
        )
        trace: list[tuple[np.ndarray, np.ndarray]] = []
        for step in range(len(self.steps)):
            if step % TOLD_STEPS == 0:
                self.index.progress(step, len(self.steps), "choosing units")
            if self.rests[step]:
                origin, state = self._rest(state)
            else:
                greedys = state.next[state.greedy : state.greedy + 1] if follow_greedy else nothing
                besides = (
                    self._playable(step, greedys) if offered is None else offered[step : step + 1]
                )
                here = self._candidates(step, state, besides)
                origin, state = self._extend(
                    step, state, here, rules, besides if follow_greedy else None
                )
                if width is not None and len(state.positions) > width:
                    kept = state.best(width)
                    if follow_greedy:
                        kept = np.union1d(kept, state.greedy)
                    origin = origin[kept]
                    state = state.keep(kept)
            trace.append((state.positions, origin))
            if rules and state.past:
                rules.count_use(state.past, int(state.cost.argmin()))
        return _trace_back(trace, int(state.cost.argmin())), float(state.cost.min())

    def _rest(self, state: _Hypotheses) -> tuple[np.ndarray, _Hypotheses]:
        """Play nothing: what follows depends on the past no more, so only the best hypothesis goes
        on.
        """
        origin = state.best(1)
        nothing = np.full(1, REST)
        past = state.past and state.past.keep(origin).then(nothing, np.zeros(1, np.int64))
        return origin, _Hypotheses(
            nothing, state.cost[origin], nothing, nothing, nothing, None, past
        )

    def _playable(self, step: int, units: np.ndarray) -> np.ndarray:
        """Without REST, what the filters leave out, and what is over too soon; none at a locked
        step.
        """
        units = units[:0] if step in self.locked else units[units >= 0]
        playable = self.index.allowed[units]
        if self.fill:
            playable &= self.units.room[units] >= self.lasting[step]
        return units[playable]

    def _candidates(self, step: int, state: _Hypotheses, besides: np.ndarray) -> np.ndarray:
        """Units to consider at a step, in order."""
        following = self._playable(step, state.next[state.best(max(self.k // 4, 1))])
        here = np.concatenate([self.nearest[step], following, besides])
        here.sort()
        return here[np.concatenate([_TRUE, here[1:] != here[:-1]])]

    def _extend(
        self,
        step: int,
        state: _Hypotheses,
        here: np.ndarray,
        rules: Rules | None,
        greedys: np.ndarray | None,
    ) -> tuple[np.ndarray, _Hypotheses]:
        """Reach each candidate from the hypothesis from which that costs least; which one, and the
        hypotheses that result.

        `greedys` is what could follow on from what greedy played; None: it need not be known.
        """
        lasting = (
            self.units.n_samples[here]
            if self.whole_units
            else np.full(len(here), self.lasting[step])
        )
        sounding, follows = self.units.after(here, lasting)
        following = follows if follows is sounding else self.units.successors(here)
        scores, sounds = self.joins.sounds(np.concatenate([here, np.maximum(sounding, 0)]))
        cost = self.index.metric.of_differences(scores[: len(here)] - self.targets[step]).astype(
            np.float64
        )
        if self.options.temperature:
            cost -= self.options.temperature * gumbel_noise(
                self.options.seed, here - step
            )  # the same all along a run
        if self.earlier:
            cost += self._likeness(step, here)
        total, on = self._transitions(state, here, sounds[: len(here)])
        least = state.cost.min()
        if rules is None or state.past is None:
            greedy = (
                0
                if greedys is None
                else self._greedys_choice(step, here, cost + total[state.greedy], greedys)
            )
            origin = total.argmin(axis=0)
            cost += least + total[origin, np.arange(len(here))]
            return origin, _Hypotheses(
                here, cost, following, follows, sounding, sounds[len(here) :], greedy=greedy
            )
        rules.apply(step, state.past, here, total, on, lasting)
        origin = total.argmin(axis=0)
        cost += least + total[origin, np.arange(len(here))]
        reached = self._reached(step, cost)
        origin = origin[reached]
        reaching = here[reached]
        run = (
            np.where(state.follows[origin] == reaching, state.past.run[origin], 0)
            + lasting[reached]
        )
        past = state.past.keep(origin).then(reaching, run)
        expected = sounds[len(here) + reached]
        state = _Hypotheses(
            reaching,
            cost[reached],
            following[reached],
            follows[reached],
            sounding[reached],
            expected,
            past,
        )
        return origin, state

    def _transitions(
        self, state: _Hypotheses, here: np.ndarray, offered: Sounds
    ) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
        """What it costs to go on from each hypothesis to each candidate, beyond what the cheapest
        hypothesis has cost.

        Returns
        -------
        total : ndarray, float32, shape (hypotheses, len(here))
        on : pair of ndarray
            Hypotheses whose run would go on, and with which of `here`.
        """
        column = np.minimum(np.searchsorted(here, state.sounding), len(here) - 1)
        on = np.flatnonzero(
            here[column] == state.sounding
        )  # hypotheses to which what would sound on is offered, at `column`
        starts = state.follows[on] >= 0  # not from its middle
        again = on[~starts]
        on = on[starts]
        if state.expected is not None and self.options.continuity:
            total = self.joins.between(state.expected, offered)
            if state.sounding.min() < 0:
                total[state.sounding < 0] = self.joins.by_chance
            if len(again):
                total[again, column[again]] = self.joins.by_chance
            total *= self.options.continuity
            total[on, column[on]] = 0.0  # without rounding
        else:
            total = np.zeros((len(state.cost), len(here)), np.float32)
        total += (state.cost - state.cost.min()).astype(np.float32)[
            :, None
        ]  # in single precision, so only what differs
        return total, (on, column[on])

    def _greedys_choice(
        self, step: int, here: np.ndarray, cost: np.ndarray, following: np.ndarray
    ) -> int:
        """Which of `here` greedy would take, where that costs it so much: one of the nearest, or
        what follows on.
        """
        among = np.sort(np.searchsorted(here, np.concatenate([self.nearest[step], following])))
        return int(among[cost[among].argmin()])

    def _reached(self, step: int, cost: np.ndarray) -> np.ndarray:
        reached = np.flatnonzero(np.isfinite(cost))
        if not len(reached):
            given = {"min_reuse": self.options.min_reuse, "max_run": self.options.max_run}
            rules = {
                name: f"{name}={value:g} s" for name, value in given.items() if 0 < value < np.inf
            }
            remedies = {"min_reuse": "lower min_reuse, ", "max_run": "raise max_run, "}
            raise ParameterError(
                f"step {self.steps[step]}: {' and '.join(rules.values())} leave none of {len(cost)}"
                f" candidates to play; {''.join(remedies[name] for name in rules)}or consider more"
                " units with -k"
            )
        return reached


def _trace_back(trace: list[tuple[np.ndarray, np.ndarray]], last: int) -> np.ndarray:
    chosen = []
    for positions, origin in reversed(trace):
        chosen.append(positions[last])
        last = int(origin[last])
    return np.array(chosen[::-1])
