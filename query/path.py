"""From candidates to one path: the units that fit the sequence and each other (Hunt & Black 1996, unit selection).

    step        t-1              t
             a1 ─────┐      b1 = what follows a1: join cost 0
             a2 ───┐ └────► b2      otherwise: distance from what follows a in its source to b
             a3    └──────► b3

cost of a path = sum of target costs (step to unit) + continuity · sum of join costs

A search carries hypotheses: paths up to here, each ending in another candidate. For every candidate of the next step it finds
the hypothesis from which that is reached at the least cost, and carries on the best of the results: all of them (viterbi),
`BEAM` of them (beam), or one (greedy). As long as no rule looks back, carrying all is exact: the path of least cost (Viterbi
1967, IEEE Trans. Inf. Theory 13(2)).

Each step's candidates are its k nearest units and the successors of the k / 2 best hypotheses, so that a run can go on where it
is only the second-best fit everywhere; viterbi and beam are offered greedy's path besides, and are never worse.
"""

from dataclasses import dataclass

import numpy as np

from db.errors import ParameterError
from query.index import Matches, UnitIndex

SEARCHES = ("viterbi", "beam", "greedy")
BEAM = 16  # hypotheses
LAG = 32  # steps after which what the best hypothesis has played counts as used for all
NEAR = 2  # units on either side of a used one that sound so much alike that they count as used, too


@dataclass(frozen=True)
class PathOptions:
    """What a path should be like.

    Attributes
    ----------
    k : int
        Nearest units considered at each step.
    search : str
        One of `SEARCHES`.
    continuity : float >= 0
        Weight of the join costs: 0 is the nearest unit of every step; more gives longer runs of one source.
    novelty : float >= 0
        Cost of a unit that was used before, in standard deviations, for each doubling of its uses.
    min_reuse : float >= 0
        Seconds within which no unit begins again.
    max_run : float > 0
        Seconds after which a run of several units of one source is over.
    temperature : float >= 0
        Random variation of the target costs, in standard deviations: other seeds, other paths.
    seed : int
    """

    k: int = 32
    search: str = "viterbi"
    continuity: float = 0.3
    novelty: float = 0.0
    min_reuse: float = 0.0
    max_run: float = np.inf
    temperature: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.search not in SEARCHES:
            raise ParameterError(f"search={self.search!r} must be one of {', '.join(SEARCHES)}")
        for name in ("continuity", "novelty", "min_reuse", "temperature"):
            value = getattr(self, name)
            if not (np.isfinite(value) and value >= 0):
                raise ParameterError(f"{name}={value} must be a finite number of at least 0")
        if not self.max_run > 0:
            raise ParameterError(f"max_run={self.max_run} must be above 0")


@dataclass(frozen=True)
class UnitPath:
    """One unit per step.

    Attributes
    ----------
    units : ndarray, int64, shape (steps,)
        Unit ids.
    distances : ndarray, float32, shape (steps,)
        Target cost of each.
    matches : Matches
        The k nearest of each step: what else could have been played.
    cost : float
        Target costs plus weighted join costs, and what novelty and temperature added.
    """

    units: np.ndarray
    distances: np.ndarray
    matches: Matches
    cost: float


def select_path(index: UnitIndex, sequence: np.ndarray, options: PathOptions, *, step_samples: np.ndarray | None) -> UnitPath:
    """The path of least total cost through the candidates that keeps to the rules.

    Parameters
    ----------
    sequence : ndarray, float32, shape (steps, n_descriptors), raw
    step_samples : ndarray, int64, shape (steps,), or None
        How long each step lasts. A unit after whose start its source is over sooner is not considered, unless no candidate
        lasts. None: a step lasts as long as its unit.

    Raises
    ------
    ParameterError
        As `UnitIndex.search`; and if min_reuse and max_run leave nothing to play at some step.
    """
    search = _Search(index, sequence, options, step_samples)
    positions, cost = search.run(1, None)
    if options.search != "greedy":
        best = search.run(None if options.search == "viterbi" else BEAM, positions)
        positions, cost = min((best, (positions, cost)), key=lambda found: found[1])
    distances = np.linalg.norm(index.scores[positions] - search.targets, axis=1)
    return UnitPath(index.database.units.ids[positions], distances, search.matches, cost)


@dataclass
class _Hypotheses:
    """Paths up to a step, one row each."""

    positions: np.ndarray  # int64 (n,): the unit it ends in, as a row of `database.units`
    cost: np.ndarray  # float64 (n,)
    run: np.ndarray  # int64 (n,): samples for which it has gone on in one source
    recent: np.ndarray  # int64 (n, window): the last units, latest last; -1 before the first

    def best(self, n: int) -> np.ndarray:
        return np.argsort(self.cost, kind="stable")[:n]


class _Search:
    """What is the same for every search of one sequence."""

    def __init__(self, index: UnitIndex, sequence: np.ndarray, options: PathOptions, step_samples: np.ndarray | None) -> None:
        self.options, self.scores, self.units = options, index.scores, index.database.units
        self.matches = index.search(sequence, k=options.k)
        self.targets, self.nearest = index.normalise(sequence), index.positions(self.matches.units)
        self.successor, self.allowed = _successors(self.units.source), index.allowed
        self.step_samples = step_samples
        rate = index.database.sample_rate
        self.max_run = options.max_run * rate
        self.reuse_samples = options.min_reuse * rate
        shortest = int((self.units.n_samples if step_samples is None else step_samples).min()) if len(self.targets) else 1
        reuse_steps = int(np.ceil(self.reuse_samples / max(shortest, 1)))
        self.window = max(min(reuse_steps, len(self.targets)), LAG if options.novelty else 0)

    def run(self, width: int | None, offered: np.ndarray | None) -> tuple[np.ndarray, float]:
        """The best path found with `width` hypotheses (None: one for each candidate), and its cost.

        `offered` (steps,) are candidates besides.
        """
        self.used = np.zeros(len(self.units), np.int64)
        trace: list[tuple[np.ndarray, np.ndarray]] = []
        state: _Hypotheses | None = None
        for step, target in enumerate(self.targets):
            here = self._candidates(step, state, offered)
            lasting = self.units.n_samples[here] if self.step_samples is None else np.full(len(here), self.step_samples[step])
            difference = self.scores[here] - target
            cost = np.sqrt(np.einsum("ij,ij->i", difference, difference)).astype(np.float64)
            if self.options.temperature:
                cost -= self.options.temperature * _gumbel(self.options.seed, step, here)
            origin, state = self._extend(step, state, here, cost, lasting)
            if width is not None and len(here) > width:
                kept = state.best(width)
                origin = origin[kept]
                state = _Hypotheses(state.positions[kept], state.cost[kept], state.run[kept], state.recent[kept])
            trace.append((state.positions, origin))
            if self.options.novelty and step >= LAG:
                self._use(int(state.recent[state.cost.argmin(), -LAG]))
        assert state is not None
        return _trace_back(trace, int(state.cost.argmin())), float(state.cost.min())

    def _candidates(self, step: int, state: _Hypotheses | None, offered: np.ndarray | None) -> np.ndarray:
        """Units to consider at a step, in order."""
        near = self.nearest[step]
        lasting = 1 if self.step_samples is None else self.step_samples[step]
        if (long_enough := self.units.room[near] >= lasting).any():
            near = near[long_enough]
        more = [near]
        if state is not None:
            following = self.successor[state.positions[state.best(max(self.options.k // 2, 1))]]
            following = following[following >= 0]
            more.append(following[self.allowed[following] & (self.units.room[following] >= lasting)])
        if offered is not None:
            more.append(offered[step : step + 1])
        here = np.sort(np.concatenate(more))
        return here[np.concatenate([[True], here[1:] != here[:-1]])]

    def _extend(
        self, step: int, state: _Hypotheses | None, here: np.ndarray, cost: np.ndarray, lasting: np.ndarray
    ) -> tuple[np.ndarray, _Hypotheses]:
        """Reach each candidate from the hypothesis from which that costs least; which one, and the hypotheses that result."""
        if state is None:
            recent = np.full((len(here), self.window), -1)
            if self.window:
                recent[:, -1] = here
            return np.zeros(len(here), np.int64), _Hypotheses(here, cost, lasting, recent)
        follows = self.successor[state.positions]
        expected = np.where(follows >= 0, follows, state.positions)  # the last of a source stands for itself
        column = np.minimum(np.searchsorted(here, expected), len(here) - 1)
        offered = np.flatnonzero(here[column] == expected)  # hypotheses to which what they expect is offered, at `column`
        total = self._join_costs(expected, here)
        total[offered, column[offered]] = 0.0  # without rounding
        least = state.cost.min()
        total += (state.cost - least)[:, None]  # in single precision, so only what differs
        if self.options.novelty:
            uses = self.used[here] + (state.recent[:, -LAG:, None] == here).sum(axis=1)
            total += self.options.novelty * np.log2(1 + uses)
        if np.isfinite(self.max_run):
            goes_on = offered[follows[offered] >= 0]
            over = goes_on[state.run[goes_on] + lasting[column[goes_on]] > self.max_run]
            total[over, column[over]] = np.inf
        if self.reuse_samples:
            total[(self._within_reuse(step, state)[:, :, None] == here).any(axis=1)] = np.inf
        origin = total.argmin(axis=0)
        cost = cost + least + total[origin, np.arange(len(here))]
        if not np.isfinite(cost).all():
            reached = np.flatnonzero(np.isfinite(cost))
            if not len(reached):
                raise ParameterError(
                    f"step {step}: min_reuse={self.options.min_reuse:g} s and max_run={self.options.max_run:g} s leave none of "
                    f"{len(here)} candidates to play; lower the one, raise the other, or consider more units with -k"
                )
            origin, here, cost, lasting = origin[reached], here[reached], cost[reached], lasting[reached]
        run = np.where(follows[origin] == here, state.run[origin], 0) + lasting
        recent = state.recent[origin]
        if self.window:
            recent = np.concatenate([recent[:, 1:], here[:, None]], axis=1)
        return origin, _Hypotheses(here, cost, run, recent)

    def _join_costs(self, before: np.ndarray, here: np.ndarray) -> np.ndarray:
        """continuity · distance between the units `before` and `here`, float32, shape (len(before), len(here))."""
        if not self.options.continuity:
            return np.zeros((len(before), len(here)), np.float32)
        expected, offered = self.scores[before], self.scores[here]
        squared = expected @ offered.T
        squared *= -2
        squared += np.einsum("ij,ij->i", expected, expected)[:, None]
        squared += np.einsum("ij,ij->i", offered, offered)
        np.maximum(squared, 0, out=squared)
        np.sqrt(squared, out=squared)
        squared *= self.options.continuity
        return squared

    def _within_reuse(self, step: int, state: _Hypotheses) -> np.ndarray:
        """`recent`, where a unit began less than min_reuse before this step, else -1."""
        if self.step_samples is None:
            played = np.where(state.recent >= 0, self.units.n_samples[state.recent], 0)
        else:
            first = max(step - self.window, 0)
            played = np.zeros(self.window, np.int64)
            played[self.window - (step - first) :] = self.step_samples[first:step]
        ago = np.cumsum(played[..., ::-1], axis=-1)[..., ::-1]  # samples from the start of each to this step
        return np.where(ago < self.reuse_samples, state.recent, -1)

    def _use(self, position: int) -> None:
        """Count a unit and its neighbours in the source as used once more."""
        source = self.units.source
        near = np.arange(max(position - NEAR, 0), min(position + NEAR + 1, len(source)))
        self.used[near[source[near] == source[position]]] += 1


def _gumbel(seed: int, step: int, positions: np.ndarray) -> np.ndarray:
    """Gumbel noise that depends on these numbers alone, so that every search of a sequence meets the same.

    The unit of least cost - temperature · noise is drawn with probability as exp(-cost / temperature) (Gumbel 1954). The random
    numbers are SplitMix64's (Steele et al. 2014).
    """
    x = positions.astype(np.uint64) + (np.uint64(step) << np.uint64(40)) + np.uint64(0x9E3779B97F4A7C15)
    x += np.array([seed % 2**32], np.uint64) * np.uint64(0xD1342543DE82EF95)  # an array wraps around without a warning
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    uniform = ((x ^ (x >> np.uint64(31))) >> np.uint64(11)).astype(np.float64) + 0.5
    return -np.log(-np.log(uniform / 2**53))


def _successors(source: np.ndarray) -> np.ndarray:
    """Position of the unit that follows each unit in its source, -1 for the last; shape (n_units,)."""
    successor = np.arange(1, len(source) + 1)
    successor[np.append(source[1:] != source[:-1], True)] = -1
    return successor


def _trace_back(trace: list[tuple[np.ndarray, np.ndarray]], last: int) -> np.ndarray:
    chosen = []
    for positions, origin in reversed(trace):
        chosen.append(positions[last])
        last = int(origin[last])
    return np.array(chosen[::-1])
