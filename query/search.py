"""Find the path through the candidates whose units best fit the sequence and each other.

This is unit selection (Hunt & Black 1996):

    step        t-1              t
             a1 ─────┐      b1 = what follows a1: join cost 0
             a2 ───┐ └────► b2      otherwise: distance from what follows a in its source to b
             a3    └──────► b3

cost of a path = sum of target costs (step to unit) + continuity · sum of join costs

The search carries hypotheses: paths up to the current step, each ending in a different candidate.
For every candidate of the next step it finds the hypothesis from which that is reached at the least
cost. It then carries on the results: all of them (viterbi) or the `BEAM` best (beam). As long as no
rule looks back, carrying all is exact: it finds the path of least cost (Viterbi 1967, IEEE Trans.
Inf. Theory 13(2)).

Besides its nearest units, a step's candidates are the successors of the k / 4 best hypotheses, so
that a run can go on even where it is only the second-best fit everywhere.
"""

from dataclasses import dataclass

import numpy as np

from files.progress import Progress
from query.candidates import Candidates
from query.rules import REST, Novelty, Past, Rules, cost_of_past
from query.space import JoinVectors

BEAM = 16  # hypotheses
PROGRESS_STEPS = 1024  # between two reports of progress
_NOTHING = np.full(1, REST)


@dataclass
class _Hypotheses:
    """Paths up to a step, one row each; units are positions, and a rest is one row, `REST`.

    Attributes
    ----------
    units : ndarray, int64, shape (n,)
        The unit that each path ends in.
    cost : ndarray, float64, shape (n,)
    following : ndarray, int64, shape (n,)
        The unit that comes next in its source, -1 after the last.
    there, starting : ndarray, int64, shape (n,)
        `Units.after` for the sample at which the unit stops playing.
    expected : JoinVectors, optional
        Join vectors of the units `there`.
    past : Past, optional
        Only if rules look back.
    """

    units: np.ndarray
    cost: np.ndarray
    following: np.ndarray
    there: np.ndarray
    starting: np.ndarray
    expected: JoinVectors | None
    past: Past | None

    def best(self, n: int) -> np.ndarray:
        """Return the rows of the n paths that cost least."""
        return np.argsort(self.cost, kind="stable")[:n]

    def keep(self, rows: np.ndarray) -> "_Hypotheses":
        assert self.expected is not None
        return _Hypotheses(
            self.units[rows],
            self.cost[rows],
            self.following[rows],
            self.there[rows],
            self.starting[rows],
            self.expected[rows],
            self.past and self.past.keep(rows),
        )


def _resting(cost: np.ndarray, past: Past | None) -> _Hypotheses:
    return _Hypotheses(_NOTHING, cost, _NOTHING, _NOTHING, _NOTHING, None, past)


class PathSearch:
    """One search for the path of least cost.

    Parameters
    ----------
    width : int, optional
        Number of hypotheses that are carried; None for one per candidate.
    also : ndarray, int64, shape (parts,), optional
        One more unit, or `REST`, to consider at each part, if it may be played.
    """

    def __init__(
        self,
        candidates: Candidates,
        rules: Rules,
        *,
        width: int | None = None,
        also: np.ndarray | None = None,
        progress: Progress,
    ) -> None:
        self._candidates = candidates
        self._rules = rules
        self._width = width
        self._progress = progress
        self._joins = candidates.space.joins
        self._novelty = Novelty(rules.options.novelty, candidates.units)
        self._also = np.full(len(candidates), REST) if also is None else also

    def run(self) -> tuple[np.ndarray, float]:
        """Return the best path (positions of units, int64, (parts,)) and its cost.

        Raises
        ------
        ParameterError
            If the rules leave nothing to play at some step.
        """
        past = self._rules.begin() if self._rules.look_back else None
        state = _resting(np.zeros(1), past)
        trace: list[tuple[np.ndarray, np.ndarray]] = []
        for part in range(len(self._candidates)):
            if part % PROGRESS_STEPS == 0:
                self._progress(part, len(self._candidates), "choosing units")
            if self._candidates.rests[part]:
                origin, state = self._rest(part, state)
            else:
                origin, state = self._extend(part, state)
            trace.append((state.units, origin))
            if state.past:
                self._novelty.count_use(state.past, int(state.cost.argmin()))
        best = int(state.cost.argmin())
        return _trace_back(trace, best), float(state.cost[best])

    def _rest(self, part: int, state: _Hypotheses) -> tuple[np.ndarray, _Hypotheses]:
        """Play nothing.

        What follows a rest does not depend on the unit before, so only the best hypothesis goes on.
        """
        origin = state.best(1)
        past = state.past
        if past:
            n_samples = self._candidates.n_samples[part : part + 1]
            past = past.keep(origin).then(_NOTHING, n_samples, np.zeros(1, bool))
        return origin, _resting(state.cost[origin], past)

    def _extend(self, part: int, state: _Hypotheses) -> tuple[np.ndarray, _Hypotheses]:
        """Extend, for each candidate, the hypothesis from which it is reached at the least cost.

        Returns
        -------
        origin : ndarray, int64, shape (n,)
            The hypothesis that was extended, a row of `state`.
        reached : _Hypotheses
        """
        past = state.past
        here = self._find_candidates(part, state)
        reached, offered = self._play(part, here)
        least = state.cost.min()
        weight = self._rules.options.continuity * self._candidates.join_weights[part]
        total, going_on = self._transitions(state, here, offered, weight)
        # single precision suffices for the differences
        total += (state.cost - least).astype(np.float32)[:, None]
        n_samples = self._candidates.lasting(part, here) if past else _NOTHING
        if past:
            total += cost_of_past(self._rules, self._novelty, past, part, here, n_samples, going_on)
        origin = total.argmin(axis=0)
        reached.cost += least + total[origin, np.arange(len(here))]
        if past:
            self._rules.check_left(self._candidates.steps[part], reached.cost)
            goes_on = state.starting[origin] == here
            reached.past = past.keep(origin).then(here, n_samples, goes_on)
        return self._prune(origin, reached)

    def _play(self, part: int, here: np.ndarray) -> tuple[_Hypotheses, JoinVectors]:
        """Return hypotheses that play each candidate and have cost nothing before, and what the
        candidates are compared by at the join before.
        """
        n = len(here)
        there, starting = self._candidates.after(part, here)
        following = there if starting is there else self._candidates.units.successors(here)
        # what is at -1 stands for nothing: `_transitions` does not use it
        vectors, joined = self._joins.unit_vectors(np.concatenate([here, there]))
        joined = self._joins.with_squared(joined)
        cost = self._candidates.costs(part, here, vectors[:n])
        return _Hypotheses(here, cost, following, there, starting, joined[n:], None), joined[:n]

    def _find_candidates(self, part: int, state: _Hypotheses) -> np.ndarray:
        best = state.best(max(self._candidates.k // 4, 1))
        going_on = np.concatenate([state.following[best], self._also[part : part + 1]])
        return self._candidates.at(part, going_on)

    def _prune(self, origin: np.ndarray, reached: _Hypotheses) -> tuple[np.ndarray, _Hypotheses]:
        """Drop forbidden hypotheses, and all but the best `width`."""
        if self._width is not None and len(origin) > self._width:
            rows = reached.best(self._width)
            rows = rows[np.isfinite(reached.cost[rows])]
        elif reached.past:
            rows = np.flatnonzero(np.isfinite(reached.cost))
        else:
            return origin, reached
        return origin[rows], reached.keep(rows)

    def _transitions(
        self, state: _Hypotheses, here: np.ndarray, offered: JoinVectors, weight: float
    ) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
        """Return the weighted join cost from each hypothesis to each candidate.

        Returns
        -------
        total : ndarray, float32, shape (hypotheses, len(here))
        going_on : pair of ndarray
            Hypotheses whose run would continue, and the column in `here` of the unit that does so.
        """
        columns = here.searchsorted(state.there)
        rows = (here.take(columns, mode="clip") == state.there).nonzero()[0]
        from_middle = rows[:0]
        if state.starting is not state.there:
            starts = state.starting[rows] >= 0
            from_middle = rows[~starts]
            rows = rows[starts]
        if state.expected is not None and weight:
            total = self._joins.between(state.expected, offered)
            over = (state.there < 0).nonzero()[0]
            if len(over):
                total[over] = self._joins.by_chance
            if len(from_middle):
                total[from_middle, columns[from_middle]] = self._joins.by_chance
            total *= weight
            total[rows, columns[rows]] = 0.0  # exactly, without rounding
        else:
            total = np.zeros((len(state.cost), len(here)), np.float32)
        return total, (rows, columns[rows])


def _trace_back(trace: list[tuple[np.ndarray, np.ndarray]], last: int) -> np.ndarray:
    path = []
    for units, origin in reversed(trace):
        path.append(units[last])
        last = int(origin[last])
    return np.array(path[::-1])
