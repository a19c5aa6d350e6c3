"""Edit a plan by hand: replace units, and repeat, remove or lock steps.

Each edit returns a new plan. A step whose unit is replaced keeps its place and length. Edits that
move steps do not update the costs of their neighbours: call `refresh_costs` for that.

In a plan of several voices no edit moves a step, so that the voices stay together: what is removed
leaves silence, and a step is repeated only where its voice is silent behind it. A unit that is
replaced there keeps the gain of its step, which makes up the sound with the other voices. A ramp
whose step no longer goes on from the one before is dropped.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from audio.read import MAX_SAMPLES
from db.database import Database
from demiurge.plans.follow import follow_again
from demiurge.plans.locate import check_database, position_of, samples_played
from demiurge.plans.make import DECIMALS, check_sources, make_step, total_cost
from demiurge.plans.settings import PlanSettings
from files.errors import ParameterError
from playback.plan import Plan, Step
from playback.runs import is_contiguous
from playback.steps import NO_TARGET
from query.rules import REST
from query.space import Space

MOST_TIMES = 100  # repetitions of a step in one edit


def replace_unit(plan: Plan, number: int, unit: int, database: Database) -> Plan:
    """Play another unit at a step, named by its id.

    It is played from its start, for as long as the step lasts or until the end of its source. The
    gain of the step stays if there are several voices; if the plan's steps follow the level of the
    target, so does the unit.

    Raises
    ------
    ParameterError
        If there is no such step or unit.
    PlanError
        If the plan is of another database, or its settings are invalid.
    DatabaseError
        If the unit's source is missing or has changed.
    """
    check_database(plan, database)
    (number,) = check_numbers(plan, [number])
    step = plan.steps[number]
    position = int(database.units.find(unit)) if _may_be_id(unit) else REST
    if position == REST:
        raise ParameterError(
            f"unit {unit!r} is not in {database.path}; give one of its {database.n_units} units"
        )
    chosen = make_step(
        database,
        position,
        n_samples=step.n_samples,
        at_sample=step.at_sample,
        target=step.target,
        voice=step.voice,
        gain_db=step.gain_db if plan.n_voices > 1 else 0.0,
        locked=step.locked,
        alternatives=_swap_alternative(step, unit),
    )
    check_sources(database, {chosen.source})
    steps = (*plan.steps[:number], chosen, *plan.steps[number + 1 :])
    edited = replace(plan, steps=steps, sources=collect_stamps(plan, steps, database))
    if (levels := PlanSettings.of(plan).levels) is not None:
        edited = follow_again(edited, [number], levels, database.root)
    until = min(number + 2, plan.voices[step.voice].stop)
    return refresh_costs(edited, range(number, until), database)


def _may_be_id(unit: Any) -> bool:
    return type(unit) is int and 0 <= unit <= MAX_SAMPLES


def _swap_alternative(step: Step, unit: int) -> tuple[dict[str, Any], ...]:
    """Return the alternatives of a step, with its own unit in the place of `unit`."""
    names = ("unit", "distance", "join", "source", "start_sample")
    played = {name: getattr(step, name) for name in names}
    others = [other for other in (played, *step.alternatives) if other["unit"] not in (unit, REST)]
    return tuple(sorted(others, key=lambda other: other["distance"]))


def repeat_step(plan: Plan, number: int, times: int) -> Plan:
    """Repeat a step `times` times, right after it; the steps that follow move later.

    With several voices none moves: there must be silence behind it in its voice.

    Raises
    ------
    ParameterError
        If there is no such step, or it cannot be repeated so often.
    """
    (number,) = check_numbers(plan, [number])
    step = plan.steps[number]
    if plan.n_voices > 1:
        return _repeat_in_voice(plan, number, times)
    most = min((MAX_SAMPLES - plan.n_samples) // step.n_samples, MOST_TIMES)
    if type(times) is not int or not 1 <= times <= most:
        raise ParameterError(
            f"times={times!r} must be an integer from 1 to {most} to repeat step {number}"
        )
    again = [_move(step, i * step.n_samples) for i in range(times + 1)]
    later = [_move(other, times * step.n_samples) for other in plan.steps[number + 1 :]]
    return with_steps(plan, (*plan.steps[:number], *again, *later))


def _repeat_in_voice(plan: Plan, number: int, times: int) -> Plan:
    """Repeat a step within the silence behind it in its voice."""
    step = plan.steps[number]
    is_last = number + 1 == plan.voices[step.voice].stop
    until = MAX_SAMPLES if is_last else plan.steps[number + 1].at_sample
    most = min((until - step.until_sample) // step.n_samples, MOST_TIMES)
    if most == 0:
        raise ParameterError(
            f"step {number} cannot be repeated: there is no room behind it in voice {step.voice},"
            " and in a plan of several voices no step is moved; remove what follows it first"
        )
    if type(times) is not int or not 1 <= times <= most:
        raise ParameterError(
            f"times={times!r} must be an integer from 1 to {most} to repeat step {number} in the"
            f" silence behind it in voice {step.voice}"
        )
    again = [_move(step, i * step.n_samples) for i in range(times + 1)]
    steps = (*plan.steps[:number], *again, *plan.steps[number + 1 :])
    return of_length(with_steps(plan, steps), plan.n_samples)


def _move(step: Step, n_samples: int) -> Step:
    return replace(step, at_sample=step.at_sample + n_samples)


def remove_steps(plan: Plan, numbers: Iterable[int]) -> Plan:
    """Remove steps; the steps that follow move earlier, so the plan gets shorter.

    With several voices none moves: silence is left, and the plan is as long as before.

    Raises
    ------
    ParameterError
        If there is no such step, or none would be left.
    """
    removed = set(check_numbers(plan, numbers))
    if len(removed) == len(plan.steps):
        raise ParameterError(
            f"all {len(removed)} steps cannot be removed: a plan has at least one; leave one"
        )
    several = plan.n_voices > 1
    steps = []
    gone = 0
    for number, step in enumerate(plan.steps):
        if number not in removed:
            steps.append(_move(step, -gone))
        elif not several:
            gone += step.n_samples
    shorter = with_steps(plan, tuple(steps))
    return of_length(shorter, plan.n_samples - gone)


def settle_ramps(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """Return steps without the ramps of those that do not go on from the step before."""
    return tuple(
        replace(step, ramp=False)
        if step.ramp and not (before and is_contiguous(before, step))
        else step
        for before, step in zip((None, *steps), steps, strict=False)
    )


def of_length(plan: Plan, n_samples: int) -> Plan:
    """Return the plan with as much silence at its end as makes it this long, if any does."""
    bare = replace(plan, tail_samples=0)
    return replace(bare, tail_samples=max(n_samples - bare.n_samples, 0))


def lock_steps(plan: Plan, numbers: Iterable[int], locked: bool) -> Plan:
    """Lock or unlock steps; `reselect` does not change locked ones.

    Raises
    ------
    ParameterError
        If there is no such step.
    """
    if not isinstance(locked, bool):
        raise ParameterError(f"locked={locked!r} must be true or false")
    steps = list(plan.steps)
    for number in check_numbers(plan, numbers):
        steps[number] = replace(steps[number], locked=locked)
    return replace(plan, steps=tuple(steps))


def refresh_costs(plan: Plan, numbers: Iterable[int], database: Database) -> Plan:
    """Compute the target and join costs of steps and of their alternatives again.

    A step whose unit is not in the database is not changed.

    Raises
    ------
    ParameterError
        If there is no such step.
    PlanError
        If the plan is of another database, or its settings are invalid.
    """
    check_database(plan, database)
    space = PlanSettings.of(plan).search.space(database)
    steps = list(plan.steps)
    for number in check_numbers(plan, numbers):
        step = steps[number]
        position = position_of(step, database)
        if position == REST:
            continue
        if step.target != NO_TARGET and plan.targets:
            target = space.sequence_vectors(plan.targets.rows[step.target : step.target + 1])
            distance = space.distances(space.unit_vectors(np.array([position])), target)
            step = replace(step, distance=round(float(distance[0]), DECIMALS))
        before = steps[number - 1] if number else None
        if before and (before.voice, before.until_sample) != (step.voice, step.at_sample):
            before = None
        steps[number] = _refresh_joins(step, position, before, space)
    return with_steps(plan, tuple(steps))


def _refresh_joins(step: Step, position: int, before: Step | None, space: Space) -> Step:
    """Return a step with new join costs of its unit and alternatives.

    They join the step that is played right before, if there is one.
    """
    units = space.database.units
    ids = [other["unit"] if _may_be_id(other["unit"]) else REST for other in step.alternatives]
    others = units.find(ids)
    position_before = position_of(before, space.database) if before else REST
    lasted = 0
    if before and position_before != REST:
        lasted = samples_played(before, position_before, space.database)
    joins = space.joins.to_each(
        np.array([position_before]), np.array([lasted]), np.array([[position, *others]])
    )
    join, *joins_of_others = (round(cost, DECIMALS) for cost in joins[0].tolist())
    alternatives = []
    for other, cost, other_position in zip(step.alternatives, joins_of_others, others, strict=True):
        alternatives.append({**other, "join": cost} if other_position != REST else other)
    return replace(step, join=join, alternatives=tuple(alternatives))


def check_numbers(plan: Plan, numbers: Iterable[int]) -> list[int]:
    """Return step numbers, after checking that the plan has these steps."""
    numbers = list(numbers)
    last = len(plan.steps) - 1
    for number in numbers:
        if type(number) is not int or not 0 <= number <= last:
            raise ParameterError(f"there is no step {number!r}: the plan has steps 0 to {last}")
    return numbers


def with_steps(plan: Plan, steps: tuple[Step, ...]) -> Plan:
    """Return the plan with other steps, without ramps that lead nowhere, and with their cost."""
    steps = settle_ramps(steps)
    if "cost" not in plan.settings:
        return replace(plan, steps=steps)
    settings = PlanSettings.of(plan)
    cost = total_cost(steps, settings.search.path.continuity)
    return replace(plan, steps=steps, settings=replace(settings, cost=cost).to_dict())


def collect_stamps(
    plan: Plan, steps: Iterable[Step], database: Database
) -> dict[str, dict[str, Any]]:
    """Return stamps of the files that the steps play, from the database or else the plan."""
    used = {step.source for step in steps}
    kept = {source: stamp for source, stamp in plan.sources.items() if source in used}
    return kept | database.stamps(sorted(used))
