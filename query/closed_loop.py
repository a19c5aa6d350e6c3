"""Continue a seed with real units, in a loop with a forecaster that hears what is played.

At each step, for several hypotheses side by side:

    forecaster ── how likely is each unit next? ──► cost of each unit for each hypothesis
        ▲                                            + join in context + style, metre + rules
        └──────── hears the unit that is played ◄──── the hypotheses that cost least go on

Costs are those of `query.continuation_costs`. Where a rule ends a run, hypotheses that left it
earlier compete with those that leave it now, so that it ends where leaving costs least.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from files.progress import Progress, no_progress
from query.contexts import units_after
from query.continuation_costs import NONE, ContinuationCosts, World, less_likely_costs
from query.index import Matches
from query.path import UnitPath
from query.rules import REST, Novelty, Past, Rules
from query.space import Space
from query.together import Together

HYPOTHESES = 12
ALTERNATIVES = 32  # units listed for each step of the path
PROGRESS_STEPS = 16


class Scorer(Protocol):
    """Scores units as the next step of hypotheses; see `sequencer.scorer.ForecasterScorer`."""

    @property
    def n_following(self) -> int: ...

    @property
    def has_affinities(self) -> bool: ...

    def affinities(
        self, seed: np.ndarray, units: np.ndarray, following: np.ndarray
    ) -> np.ndarray: ...

    def begin(self, seed: np.ndarray, units: np.ndarray, following: np.ndarray) -> None: ...

    def scores(self) -> np.ndarray: ...

    def advance(self, rows: np.ndarray, units: np.ndarray, now: np.ndarray) -> np.ndarray: ...


@dataclass
class _Hypotheses:
    """Paths up to a step: the world's row that each ends in, its cost so far, and its past."""

    rows: np.ndarray
    cost: np.ndarray
    past: Past


class ClosedLoop:
    """One continuation.

    Parameters
    ----------
    scorer : Scorer
    rules : Rules
        Their locked units must be in the world.
    seed : ndarray, float32, shape (steps, n_descriptors), raw
    step_samples : ndarray, int64, shape (n,)
        Length of each step; with whole units the total is the least length of the result.
    temperature : float
    random_seed : int
    others : sequence of ndarray
        Paths of other variations, as rows of the world, to keep away from.
    together : Together, optional
        The voices that sound at once with it.
    """

    def __init__(
        self,
        space: Space,
        world: World,
        scorer: Scorer,
        rules: Rules,
        *,
        seed: np.ndarray,
        step_samples: np.ndarray,
        temperature: float,
        random_seed: int,
        others: Sequence[np.ndarray] = (),
        together: Together | None = None,
        progress: Progress = no_progress,
    ) -> None:
        self._space = space
        self._world = world
        self._scorer = scorer
        self._rules = rules
        self._seed = seed
        self._step_samples = step_samples
        self._together = together
        self._progress = progress
        self._costs = ContinuationCosts(
            space,
            world,
            seed=seed,
            temperature=temperature,
            random_seed=random_seed,
            others=others,
        )
        self._novelty = Novelty(rules.options.novelty, space.database.units)
        self._heard = space.database.rows_at(world.positions)
        self._continued = units_after(space.database, world.positions, scorer.n_following)

    def run(self) -> np.ndarray:
        """Return the path as rows of the world, int64, `REST` where a locked step rests.

        Raises
        ------
        ParameterError
            If the rules leave nothing to play at some step.
        """
        self._scorer.begin(self._seed, self._heard, self._continued)
        state = _Hypotheses(np.full(1, NONE), np.zeros(1), self._rules.begin())
        trace: list[tuple[np.ndarray, np.ndarray]] = []
        total = int(self._step_samples.sum())
        while state.past.now.min() < total:
            step = len(trace)
            if step % PROGRESS_STEPS == 0:
                done = min(int(state.past.now.min()), total)
                self._progress(done, total, "choosing units")
            origin, state = self._extend(step, state)
            trace.append((state.rows, origin))
        self._progress(total, total, "choosing units")
        # of hypotheses that last longer than others, only the cost per time can be compared
        best = int((state.cost / state.past.now).argmin())
        path = _trace_back(trace, best)
        return path[: int(np.searchsorted(np.cumsum(self.lengths(path)), total)) + 1]

    def _extend(self, step: int, state: _Hypotheses) -> tuple[np.ndarray, _Hypotheses]:
        """Return what each kept hypothesis extends, a row of `state`, and the hypotheses."""
        if self._rules.locked.get(step) == REST:
            return self._rest(step, state)
        n_samples = self._lengths(step)
        going_on = self._costs.going_on(state.rows)
        following = np.full(len(state.rows), NONE)
        following[going_on[0]] = going_on[1]
        targets = self._costs.targets(step, self._scorer.scores(), going_on)
        costs = self._scale(n_samples) * targets
        costs += self._rules.options.continuity * self._costs.joins(state.rows, going_on)
        positions = self._world.positions
        costs += self._novelty.costs(state.past, positions)
        if self._together:
            costs += self._together.costs(state.past.now)
        forbidden = self._rules.forbid(step, state.past, positions, n_samples, going_on) > 0
        costs[forbidden | self._too_short(n_samples)] = np.inf
        if step in self._rules.locked:
            costs[:, positions != self._rules.locked[step]] = np.inf
        costs += state.cost[:, None]
        origin = costs.argmin(axis=0)
        reached = costs[origin, np.arange(len(positions))]
        rows = np.argsort(reached, kind="stable")[:HYPOTHESES]
        rows = rows[np.isfinite(reached[rows])]
        if not len(rows):
            remedy = "let the filters leave more units"
            self._rules.check_left(step, reached, "units", remedy)
        origin = origin[rows]
        past = state.past.keep(origin).then(
            positions[rows], n_samples[rows], following[origin] == rows
        )
        later = self._scorer.advance(origin, rows, past.now)
        # of the tokens head: what the levels that are known only now say about earlier steps
        cost = reached[rows] + less_likely_costs(later.max() - later)
        state = _Hypotheses(rows, cost, past)
        self._novelty.count_use(past, int(state.cost.argmin()))
        return origin, state

    def _rest(self, step: int, state: _Hypotheses) -> tuple[np.ndarray, _Hypotheses]:
        """Play nothing at a step; the best hypothesis goes on."""
        origin = np.array([state.cost.argmin()])
        rests = np.full(1, REST)
        past = state.past.keep(origin)
        past = past.then(rests, self._step_samples[step : step + 1], np.zeros(1, bool))
        self._scorer.advance(origin, rests, past.now)
        return origin, _Hypotheses(rests, state.cost[origin], past)

    def _lengths(self, step: int) -> np.ndarray:
        """Return how long each unit would be played at a step, in samples."""
        last = len(self._step_samples) - 1
        lasting = self._step_samples[min(step, last)]
        return self._rules.n_samples(self._world.positions, lasting)

    def lengths(self, path: np.ndarray) -> np.ndarray:
        """Return how long each unit of a path is played, in samples."""
        last = len(self._step_samples) - 1
        lasting = self._step_samples[np.minimum(np.arange(len(path)), last)]
        positions = self._world.positions[np.maximum(path, 0)]
        return self._rules.n_samples(positions, lasting).copy()

    def _scale(self, n_samples: np.ndarray) -> np.ndarray | float:
        """Return weights of the target costs, so that short units do not count more per second."""
        return n_samples / n_samples.mean() if self._rules.whole_units else 1.0

    def _too_short(self, n_samples: np.ndarray) -> np.ndarray:
        """Return which units end before they have been played for so long, with their source."""
        if self._space.database.settings.units_vary:
            return np.zeros(len(n_samples), bool)
        return self._rules.too_short(self._world.positions, n_samples)

    def describe(self, path: np.ndarray) -> UnitPath:
        """Return the path that `run` found, with its costs and alternatives."""
        steps = np.arange(len(path))
        positions = np.where(path == REST, REST, self._world.positions[path])
        n_samples = self.lengths(path)
        n_samples[-1] -= max(n_samples.sum() - self._step_samples.sum(), 0)
        targets = self._score_again(path)
        chosen = targets[steps, np.maximum(path, 0)]
        distances = np.where(path == REST, 0, chosen).astype(np.float32)
        joins = self._plain_joins(positions)
        k = min(ALTERNATIVES, targets.shape[1])
        nearest = np.argsort(targets, axis=1, kind="stable")[:, :k]
        found = self._world.positions[nearest]
        matches = Matches(found, np.take_along_axis(targets, nearest, axis=1))
        cost = float(distances.sum() + self._rules.options.continuity * joins.sum())
        return UnitPath(positions, steps, n_samples, distances, joins, matches, cost, self._rules)

    def _plain_joins(self, positions: np.ndarray) -> np.ndarray:
        """Return the join cost of each unit and the one before it, as if both were whole."""
        lengths = self._space.database.units.n_samples[np.maximum(positions, 0)]
        return self._space.joins.along(positions, lengths)

    def _score_again(self, path: np.ndarray) -> np.ndarray:
        """Return the target cost of each unit at each step of the path, (steps, n), at least 0."""
        self._scorer.begin(self._seed, self._heard, self._continued)
        costs = []
        before = np.full(1, NONE)
        played = self.lengths(path).cumsum()
        for step, row in enumerate(path[:, None]):
            going_on = self._costs.going_on(before)
            costs.append(self._costs.plain_targets(step, self._scorer.scores(), going_on)[0])
            self._scorer.advance(np.zeros(1, np.int64), row, played[step : step + 1])
            before = row
        return np.stack(costs)


def _trace_back(trace: list[tuple[np.ndarray, np.ndarray]], last: int) -> np.ndarray:
    path = []
    for rows, origin in reversed(trace):
        path.append(rows[last])
        last = int(origin[last])
    return np.array(path[::-1], np.int64)


def find_continuations(
    space: Space,
    world: World,
    scorer: Scorer,
    rules: Rules,
    *,
    seed: np.ndarray,
    step_samples: np.ndarray,
    temperature: float,
    random_seed: int,
    variations: int = 1,
    voices: int = 1,
    progress: Progress = no_progress,
) -> list[UnitPath]:
    """Return paths that continue a seed, each different from those before it.

    Those of the voices of a variation follow each other. Other parameters are those of
    `ClosedLoop`; for several voices the database must have chroma.
    """
    rows: list[np.ndarray] = []
    paths: list[UnitPath] = []
    together = None
    for number in range(variations * voices):
        if voices > 1 and number % voices == 0:
            together = Together(space, world.positions)
        search = ClosedLoop(
            space,
            world,
            scorer,
            rules,
            seed=seed,
            step_samples=step_samples,
            temperature=temperature,
            random_seed=random_seed,
            others=rows,
            together=together,
            progress=progress,
        )
        rows.append(search.run())
        paths.append(search.describe(rows[-1]))
        if together:
            together.add(rows[-1], search.lengths(rows[-1]))
    return paths
