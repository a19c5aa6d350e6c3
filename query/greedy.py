"""The greedy path: at each step, the unit that costs least after the one before.

It is found quickly, and serves as an upper limit on the cost of the other searches.
"""

from typing import NamedTuple

import numpy as np

from db.unit_table import Units
from query.candidates import Candidates
from query.rules import REST, Novelty, Rules, cost_of_past


class _Before(NamedTuple):
    """The unit played before a step, and the units around where it stops; positions or `REST`.

    `following` is the next unit in its source; `there` and `starting` are as `Units.after` returns
    them for the sample at which it stops playing.
    """

    unit: int
    following: int
    there: int
    starting: int


_REST_BEFORE = _Before(REST, REST, REST, REST)


def find_greedily(candidates: Candidates, rules: Rules) -> tuple[np.ndarray, float]:
    """Return the greedy path (positions of units, int64, (parts,)) and its cost.

    Raises
    ------
    ParameterError
        If the rules leave nothing to play at some step.
    """
    novelty = Novelty(rules.options.novelty, candidates.units)
    past = rules.begin()
    before = _REST_BEFORE
    path = np.full(len(candidates), REST)
    total = 0.0
    for part in range(len(candidates)):
        unit = REST
        if not candidates.rests[part]:
            here = candidates.at(part, np.array([before.following]))
            costs = _costs_after(candidates, part, here, before)
            if rules.look_back:
                lasting = candidates.lasting(part, here)
                on = np.flatnonzero(here == before.starting)
                going_on = (np.zeros_like(on), on)
                costs += cost_of_past(rules, novelty, past, part, here, lasting, going_on)[0]
                rules.check_left(candidates.steps[part], costs)
            best = costs.argmin()
            unit = int(here[best])
            total += float(costs[best])
        path[part] = unit
        n_samples = candidates.samples_of(part, unit)
        if rules.look_back:
            goes_on = np.array([unit == before.starting])
            past = past.then(np.array([unit]), np.array([n_samples]), goes_on)
            novelty.count_use(past, 0)
        before = _stop_playing(candidates.units, unit, n_samples)
    return path, total


def _costs_after(
    candidates: Candidates, part: int, here: np.ndarray, before: _Before
) -> np.ndarray:
    """Return the target costs of candidates and their weighted join costs."""
    continuity = candidates.options.continuity
    joins = candidates.space.joins
    there = np.array([max(before.there, 0)])
    vectors, joined = joins.unit_vectors(np.concatenate([here, there]))
    costs = candidates.costs(part, here, vectors[:-1])
    if before.unit == REST or not continuity:
        return costs
    if before.there == REST:
        return costs + continuity * joins.by_chance
    join_costs = joins.pairwise(joined[-1:], joined[:-1])
    join_costs[here == before.there] = 0 if before.starting == before.there else joins.by_chance
    return costs + continuity * join_costs


def _stop_playing(units: Units, unit: int, n_samples: int) -> _Before:
    """Return the state after a unit was played for `n_samples`."""
    if unit == REST:
        return _REST_BEFORE
    following = unit + 1 if units.samples_left[unit] > units.n_samples[unit] else REST
    if n_samples == units.n_samples[unit]:
        return _Before(unit, following, following, following)
    there, starting = units.after(np.array([unit]), np.array([n_samples]))
    return _Before(unit, following, int(there[0]), int(starting[0]))
