"""A plan changed by hand: other units, steps repeated, removed or locked, the rest chosen anew.

Each gives a new plan.

What is chosen by hand keeps its place and length. An edit that moves steps leaves the costs of
those beside it as they were: `refresh_costs` finds them again.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from audio.read import MAX_SAMPLES
from db.database import Database
from demiurge.plans.locate import check_database, position_of
from demiurge.plans.make import DECIMALS, check_sources, describe_choice, make_step, total_cost
from files.errors import ParameterError, PlanError
from playback.plan import Plan, Step
from playback.steps import NO_TARGET, NO_UNIT
from playback.targets import Targets
from query.explain import explain
from query.index import UnitIndex
from query.joins import JoinCosts
from query.locked_steps import find_units
from query.options import PathOptions
from query.path import REST, UnitPath, find_paths
from query.settings import SearchSettings, selection_facts

MOST_TIMES = 100  # that a step is repeated at once


def replace_unit(plan: Plan, number: int, unit: int, database: Database) -> Plan:
    """Play another unit at a step, from its start, as long as the step lasts or until its source is
    over.

    Raises
    ------
    ParameterError
        If there is no such step or unit.
    PlanError
        If the plan is of another database, or its settings ask for what there is not.
    DatabaseError
        If the unit's source is missing or has changed.
    """
    check_database(plan, database)
    (number,) = _numbers(plan, [number])
    step = plan.steps[number]
    if (
        type(unit) is not int
        or not 0 <= unit <= MAX_SAMPLES
        or find_units(database.units, np.array(unit)) < 0
    ):
        raise ParameterError(
            f"unit {unit!r} is not in {database.path}; name one of its {database.n_units} units"
        )
    place = {"at_sample": step.at_sample, "target": step.target, "locked": step.locked}
    chosen = make_step(
        database, unit, n_samples=step.n_samples, **place, alternatives=_swapped(step, unit)
    )
    check_sources(database, {chosen.source})
    steps = (*plan.steps[:number], chosen, *plan.steps[number + 1 :])
    edited = replace(plan, steps=steps, sources=_stamps(plan, steps, database))
    return refresh_costs(edited, range(number, min(number + 2, len(steps))), database)


def _swapped(step: Step, unit: int) -> tuple[dict[str, Any], ...]:
    """The alternatives of a step without one of them, but with what the step plays."""
    played = {
        name: getattr(step, name) for name in ("unit", "distance", "join", "source", "start_sample")
    }
    others = [other for other in (played, *step.alternatives) if other["unit"] not in (unit, REST)]
    return tuple(sorted(others, key=lambda other: other["distance"]))


def repeat_step(plan: Plan, number: int, times: int) -> Plan:
    """Play a step again, so many times, right behind it; what follows moves on.

    Raises
    ------
    ParameterError
        If there is no such step, or it cannot be repeated so often.
    """
    (number,) = _numbers(plan, [number])
    step = plan.steps[number]
    most = min((MAX_SAMPLES - plan.n_samples) // step.n_samples, MOST_TIMES)
    if type(times) is not int or not 1 <= times <= most:
        raise ParameterError(
            f"times={times!r} must be an integer from 1 to {most} to repeat step {number}"
        )
    again = [replace(step, at_sample=step.at_sample + i * step.n_samples) for i in range(times + 1)]
    later = [
        replace(other, at_sample=other.at_sample + times * step.n_samples)
        for other in plan.steps[number + 1 :]
    ]
    return _with_steps(plan, (*plan.steps[:number], *again, *later))


def remove_steps(plan: Plan, numbers: Iterable[int]) -> Plan:
    """Leave steps out; what follows moves up, so that the plan is shorter by what they lasted.

    Raises
    ------
    ParameterError
        If there is no such step, or none would be left.
    """
    removed = set(_numbers(plan, numbers))
    if len(removed) == len(plan.steps):
        raise ParameterError(
            f"all {len(removed)} steps cannot be removed: a plan has at least one; leave one"
        )
    steps = []
    gone = 0
    for number, step in enumerate(plan.steps):
        if number in removed:
            gone += step.n_samples
        else:
            steps.append(replace(step, at_sample=step.at_sample - gone))
    return _with_steps(
        replace(plan, tail_samples=plan.n_samples - gone - steps[-1].until_sample), tuple(steps)
    )


def lock_steps(plan: Plan, numbers: Iterable[int], locked: bool) -> Plan:
    """Lock steps, or unlock them: `reselect` leaves locked ones as they are.

    Raises
    ------
    ParameterError
        If there is no such step.
    """
    if not isinstance(locked, bool):
        raise ParameterError(f"locked={locked!r} must be true or false")
    wanted = set(_numbers(plan, numbers))
    return replace(
        plan,
        steps=tuple(
            replace(s, locked=locked) if n in wanted else s for n, s in enumerate(plan.steps)
        ),
    )


def refresh_costs(plan: Plan, numbers: Iterable[int], database: Database) -> Plan:
    """Measure again how far steps are from their targets, and how they and their alternatives join
    what is before them.

    A step whose unit is not in the database stays as it is.

    Raises
    ------
    ParameterError
        If there is no such step.
    PlanError
        If the plan is of another database, or its settings ask for what there is not.
    """
    check_database(plan, database)
    search = SearchSettings.from_settings(plan.settings)
    steps = list(plan.steps)
    index = UnitIndex(
        database, weights=search.weights, metric=search.metric, kind="flat"
    )  # to measure, not to search
    joins = JoinCosts(index)
    for number in _numbers(plan, numbers):
        position = position_of(steps[number], database)
        step = steps[number]
        if position == REST:
            continue
        if step.target != NO_TARGET and plan.targets:
            wanted = index.normalise(plan.targets.rows[step.target : step.target + 1])
            distance = index.metric.of_differences(index.scores(np.array([position])) - wanted)
            step = replace(step, distance=round(float(distance[0]), DECIMALS))
        before = (
            steps[number - 1]
            if number and steps[number - 1].until_sample == step.at_sample
            else None
        )
        steps[number] = _join(step, position, before, joins, database)
    return _with_steps(plan, tuple(steps))


def _join(
    step: Step, position: int, before: Step | None, joins: JoinCosts, database: Database
) -> Step:
    """A step with the joins of its unit and of its alternatives with what is played right before
    it.
    """
    ids = [
        other["unit"] if 0 <= other["unit"] <= MAX_SAMPLES else REST for other in step.alternatives
    ]
    others = find_units(database.units, np.array(ids, np.int64))
    from_position = REST
    lasted = 0
    if before and (from_position := position_of(before, database)) != REST:
        lasted = before.end_sample - int(database.units.start_sample[from_position])
    costs = joins.to_each(
        np.array([from_position]), np.array([lasted]), np.array([[position, *others]])
    )[0].tolist()
    join, *of_others = (round(cost, DECIMALS) for cost in costs)
    known = zip(step.alternatives, of_others, others.tolist(), strict=True)
    alternatives = tuple({**other, "join": cost} if at >= 0 else other for other, cost, at in known)
    return replace(step, join=join, alternatives=alternatives)


def reselect(plan: Plan, index: UnitIndex, options: PathOptions) -> Plan:
    """Choose units anew for what the steps were wanted to sound like, around those that are locked.

    Steps stay where they are and as long; a step without a target, or of no unit, stays altogether.
    Gain and transformations stay where the same unit is chosen again. With the options and the
    index that a plan was made with, and nothing locked, the plan stays as it is.

    Raises
    ------
    PlanError
        If the plan holds no targets or none of the database's descriptors, is of another database,
        or its settings ask for what there is not.
    ParameterError
        As `query.path.find_paths`.
    DatabaseError
        If the source of a unit that is chosen is missing or has changed.
    """
    check_database(plan, index.database)
    if plan.targets is None:
        raise PlanError(
            "the plan holds no targets to choose units for; make it again with demiurge render or"
            " mosaic"
        )
    search = replace(SearchSettings.from_settings(plan.settings), path=options)
    rows = _rows(plan)
    whole_units = plan.settings.get("whole_units") is True
    lasting = np.array([row.n_samples for row in rows])
    path = find_paths(
        index,
        _sequence(rows, plan.targets, index),
        options,
        step_samples=lasting,
        whole_units=whole_units,
        fill=True,
        variations=search.variations,
        locked=_locked(rows, index.database),
    )[-1]
    if whole_units:
        path = _for_so_long(path, lasting, index)
    explanation = explain(index, path, options, whole_units=whole_units)
    steps = []
    at = 0
    for part, (row, unit, lasts) in enumerate(
        zip(path.steps, path.units.tolist(), path.n_samples.tolist(), strict=True)
    ):
        before = rows[row].step
        if before and unit != REST:
            facts = describe_choice(path, explanation, part, index.database)
            steps.append(
                _chosen(before, unit, index.database, at_sample=at, n_samples=lasts, **facts)
            )
        elif before and _stays(before):
            steps.append(before)
        at += lasts
    played = {(step.at_sample, step.unit) for step in plan.steps}
    check_sources(
        index.database, {step.source for step in steps if (step.at_sample, step.unit) not in played}
    )
    chosen = tuple(steps)
    settings = plan.settings | selection_facts(search, index)
    tail_samples = plan.n_samples - chosen[-1].until_sample
    sources = _stamps(plan, chosen, index.database)
    return _with_steps(
        replace(plan, settings=settings, tail_samples=tail_samples, sources=sources), chosen
    )


@dataclass(frozen=True)
class _Row:
    """Of the sequence that units are chosen for: a step, or, without one, a rest between steps."""

    n_samples: int
    step: Step | None = None


def _rows(plan: Plan) -> list[_Row]:
    """The steps, and rests between them: one for each target that none of the steps plays, so that
    chance falls alike.
    """
    rows: list[_Row] = []
    free = 0
    last = -1
    for step in plan.steps:
        if (gap := step.at_sample - free) > 0:
            n_rests = min(max(step.target - last - 1, 1), gap)
            rows += [_Row(int(n)) for n in np.diff(np.arange(n_rests + 1) * gap // n_rests)]
        rows.append(_Row(step.n_samples, step))
        free = step.until_sample
        last = max(step.target, last)
    return rows


def _sequence(rows: list[_Row], targets: Targets, index: UnitIndex) -> np.ndarray:
    """The target of each row, (rows, n_descriptors); where there is none, any that can be measured."""
    anything = index.database.normaliser.mean
    wanted = targets.rows
    if wanted.shape[1] != len(anything):
        raise PlanError(
            f"the plan's targets have {wanted.shape[1]} descriptors, the database {len(anything)};"
            " make it again"
        )
    of_rows = [row.step.target if row.step else NO_TARGET for row in rows]
    return np.stack([anything if target == NO_TARGET else wanted[target] for target in of_rows])


def _locked(rows: list[_Row], database: Database) -> dict[int, int]:
    """What must be played at rows: a rest for one that is none of the database's units, or not as
    they are.
    """
    locked = {}
    for number, (step, n_samples) in enumerate((row.step, row.n_samples) for row in rows):
        if step is None or _stays(step):
            position = REST if step is None else position_of(step, database)
            fits = position != REST and database.units.room[position] >= n_samples
            locked[number] = step.unit if step and fits else REST
    return locked


def _for_so_long(path: UnitPath, lasting: np.ndarray, index: UnitIndex) -> UnitPath:
    """The path with steps of given lengths, and how they join then."""
    positions = np.where(path.units == REST, REST, index.positions(path.units))
    joins = path.joins.copy()
    joins[1:] = JoinCosts(index).to_each(positions[:-1], lasting[:-1], positions[1:, None])[:, 0]
    return replace(path, n_samples=lasting, joins=joins)


def _stays(step: Step) -> bool:
    return step.locked or step.target == NO_TARGET or step.unit == NO_UNIT


def _chosen(
    before: Step, unit: int, database: Database, *, at_sample: int, n_samples: int, **facts: Any
) -> Step:
    """A step after another choice."""
    if before.target == NO_TARGET:
        return replace(before, join=facts["join"])
    if unit == before.unit and n_samples == before.n_samples:
        return replace(before, **facts)
    return make_step(
        database, unit, n_samples=n_samples, at_sample=at_sample, target=before.target, **facts
    )


def _numbers(plan: Plan, numbers: Iterable[int]) -> list[int]:
    """Numbers of steps, checked."""
    numbers = list(numbers)
    last = len(plan.steps) - 1
    for number in numbers:
        if type(number) is not int or not 0 <= number <= last:
            raise ParameterError(f"there is no step {number!r}: the plan has steps 0 to {last}")
    return numbers


def _with_steps(plan: Plan, steps: tuple[Step, ...]) -> Plan:
    """The plan with other steps, and what they cost."""
    if "cost" not in plan.settings:
        return replace(plan, steps=steps)
    cost = total_cost(steps, SearchSettings.from_settings(plan.settings).path.continuity)
    return replace(plan, steps=steps, settings={**plan.settings, "cost": cost})


def _stamps(plan: Plan, steps: Iterable[Step], database: Database) -> dict[str, dict[str, Any]]:
    """Which files the steps play: as the database knows them, else as the plan does."""
    used = {step.source for step in steps}
    kept = {source: stamp for source, stamp in plan.sources.items() if source in used}
    return kept | database.stamps(sorted(used))
