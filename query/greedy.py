"""The greedy path: at each step, the unit that costs least after the one before.

It is found quickly, and serves as an upper limit on the cost of the other searches.
"""

from typing import NamedTuple

import numpy as np

from db.unit_table import Units
from query.candidates import Candidates
from query.rules import REST, Novelty, Rules, cost_of_past
from query.space import JoinCosts


class Before(NamedTuple):
    """The unit played before a step, and the units around where it stops; positions or `REST`.

    `following` is the next unit in its source; `there` and `starting` are as `Units.after` returns
    them for the sample at which it stops playing.
    """

    unit: int
    following: int
    there: int
    starting: int


NOTHING_BEFORE = Before(REST, REST, REST, REST)


def find_greedily(candidates: Candidates, rules: Rules) -> tuple[np.ndarray, float]:
    """Return the greedy path (positions of units, int64, (parts,)) and its cost.

    Raises
    ------
    ParameterError
        If the rules leave nothing to play at some step.
    """
    memory = _Memory(candidates, rules) if rules.look_back else None
    before = NOTHING_BEFORE
    path = np.full(len(candidates), REST)
    total = 0.0
    for part in range(len(candidates)):
        if not candidates.rests[part]:
            here = candidates.with_one(part, before.following)
            costs = _costs_after(candidates, part, here, before)
            if memory:
                costs += memory.costs(part, here, before.starting)
                rules.check_left(candidates.steps[part], costs)
            best = costs.argmin()
            path[part] = here[best]
            total += float(costs[best])
        unit = int(path[part])
        n_samples = candidates.samples_of(part, unit)
        if memory:
            memory.add(unit, n_samples, goes_on=unit == before.starting)
        played = candidates.units.n_samples[unit] if candidates.whole_units else n_samples
        before = stop_playing(candidates.units, unit, int(played))
    return path, total


class _Memory:
    """What was played so far, where rules look back."""

    def __init__(self, candidates: Candidates, rules: Rules) -> None:
        self._candidates = candidates
        self._rules = rules
        self._novelty = Novelty(rules.options.novelty, candidates.units)
        self._past = rules.begin()

    def costs(self, part: int, here: np.ndarray, starting: int) -> np.ndarray:
        """Return what candidates cost for what was played before; `starting` would go on."""
        on = np.flatnonzero(here == starting)
        going_on = (np.zeros_like(on), on)
        lasting = self._candidates.lasting(part, here)
        past = self._past
        return cost_of_past(self._rules, self._novelty, past, part, here, lasting, going_on)[0]

    def add(self, unit: int, n_samples: int, *, goes_on: bool) -> None:
        """Take note of a unit, or a `REST`, that is played for so long."""
        played = (np.array([unit]), np.array([n_samples]), np.array([goes_on]))
        self._past = self._past.then(*played)
        self._novelty.count_use(self._past, 0)


def _costs_after(candidates: Candidates, part: int, here: np.ndarray, before: Before) -> np.ndarray:
    """Return the target costs of candidates and their weighted join costs."""
    continuity = candidates.options.continuity * candidates.join_weights[part]
    vectors, join_costs = vectors_after(candidates.space.joins, here, before)
    return candidates.costs(part, here, vectors) + continuity * join_costs


def vectors_after(
    joins: JoinCosts, here: np.ndarray, before: Before
) -> tuple[np.ndarray, np.ndarray]:
    """Return the `Space.unit_vectors` of units, and the join cost of each, (n,).

    The join costs are 0 if nothing is played before.
    """
    there = np.array([max(before.there, 0)])
    vectors, joined = joins.unit_vectors(np.concatenate([here, there]))
    if before.unit == REST:
        return vectors[:-1], np.zeros(len(here))
    if before.there == REST:
        return vectors[:-1], np.full(len(here), joins.by_chance)
    join_costs = joins.pairwise(joined[-1:], joined[:-1])
    join_costs[here == before.there] = 0 if before.starting == before.there else joins.by_chance
    return vectors[:-1], join_costs


def stop_playing(units: Units, unit: int, n_samples: int) -> Before:
    """Return the state after a unit was played for `n_samples`."""
    if unit == REST:
        return NOTHING_BEFORE
    following = unit + 1 if units.samples_left[unit] > units.n_samples[unit] else REST
    if n_samples == units.n_samples[unit]:
        return Before(unit, following, following, following)
    there, starting = units.after(np.array([unit]), np.array([n_samples]))
    return Before(unit, following, int(there[0]), int(starting[0]))
