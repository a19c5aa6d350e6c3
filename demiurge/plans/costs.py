"""Compute the costs of steps again, after an edit."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from db.database import Database
from demiurge.plans.locate import check_database, position_of, samples_played
from demiurge.plans.make import DECIMALS, total_cost
from demiurge.plans.ramps import settle_ramps
from demiurge.plans.settings import PlanSettings
from demiurge.plans.voice_costs import VoiceCosts
from demiurge.plans.voice_units import VoiceUnits
from files.errors import ParameterError
from playback.plan import Plan, Step
from playback.steps import NO_TARGET
from playback.targets import Targets
from query.rules import REST
from query.space import Space


def refresh_costs(
    plan: Plan, numbers: Iterable[int], database: Database, units: VoiceUnits | None = None
) -> Plan:
    """Compute the target and join costs of steps and of their alternatives again.

    A step whose unit is not in the database is not changed.

    Parameters
    ----------
    units : VoiceUnits, optional
        If the plan's units were chosen by their spectra.

    Raises
    ------
    ParameterError
        If there is no such step.
    PlanError
        If the plan is of another database, or its settings are invalid.
    """
    check_database(plan, database)
    space = units.space if units else PlanSettings.of(plan).search.space(database)
    fitted = VoiceCosts(plan, units) if units else None
    steps = list(plan.steps)
    for number in check_numbers(plan, numbers):
        positions = _find_all(steps[number], database, units)
        if positions[0] == REST:
            continue
        if fitted and steps[number].target != NO_TARGET:
            costs, _ = fitted.at(number, positions)
            steps[number] = _with_costs(steps[number], "distance", costs, positions)
        elif plan.targets and steps[number].target != NO_TARGET:
            steps[number] = _with_distance(steps[number], positions, plan.targets, space)
        before = steps[number - 1] if number else None
        place = before and (before.voice, before.until_sample)
        if place != (steps[number].voice, steps[number].at_sample):
            before = None
        position_before = find_step(before, database, units) if before else REST
        lasted = 0
        if before and position_before != REST:
            lasted = samples_played(before, position_before, space.database)
        to_each = space.joins.to_each
        joins = to_each(np.array([position_before]), np.array([lasted]), positions[None])[0]
        steps[number] = _with_costs(steps[number], "join", joins, positions)
    return with_steps(plan, tuple(steps))


def find_step(step: Step, database: Database, units: VoiceUnits | None) -> int:
    """Return the position of a step's unit, or `REST`; at its transposition with `units`."""
    return units.position_of(step) if units else position_of(step, database)


def _find_all(step: Step, database: Database, units: VoiceUnits | None) -> np.ndarray:
    """Return the positions of a step's unit and its alternatives, int64; `REST` for unknown ones.

    They are those of `units`, at their transpositions, if there are any.
    """
    ids = [other["unit"] for other in step.alternatives]
    sources = [other.get("source", "") for other in step.alternatives]
    others = database.find_stored(ids, sources).tolist()
    if units:
        shifts = [other.get("transpose", 0) for other in step.alternatives]
        others = [units.at(*found) for found in zip(others, shifts, strict=True)]
    return np.array([find_step(step, database, units), *others], np.int64)


def _with_distance(step: Step, positions: np.ndarray, targets: Targets, space: Space) -> Step:
    target = space.sequence_vectors(targets.rows[step.target : step.target + 1])
    distance = space.target_costs(positions[:1], space.unit_vectors(positions[:1]), target)
    return replace(step, distance=round(float(distance[0]), DECIMALS))


def _with_costs(step: Step, name: str, costs: np.ndarray, positions: np.ndarray) -> Step:
    """Return a step with new costs of its unit, and of the alternatives that there are."""
    own, *of_others = (round(cost, DECIMALS) for cost in costs.tolist())
    alternatives = tuple(
        {**other, name: cost} if position != REST else other
        for other, cost, position in zip(
            step.alternatives, of_others, positions[1:].tolist(), strict=True
        )
    )
    changed: dict[str, Any] = {name: own, "alternatives": alternatives}
    return replace(step, **changed)


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
