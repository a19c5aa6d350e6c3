"""Other units for a step of an open plan, and their costs there."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from db.database import Database
from demiurge.plans.costs import find_step
from demiurge.plans.locate import (
    check_database,
    find_unit,
    named_unit,
    position_of,
    samples_played,
    unit_name,
)
from demiurge.plans.make import DECIMALS
from demiurge.plans.settings import PlanSettings
from demiurge.plans.voice_costs import VoiceCosts
from demiurge.plans.voice_units import VoiceUnits
from demiurge.web.passages import new_passages
from demiurge.web.timeline.editor import State
from demiurge.web.timeline.sources import PlanSources
from demiurge.web.workspace import Workspace
from files.errors import ParameterError
from playback.plan import Plan, Step
from playback.steps import NO_TARGET
from query.alternatives import (
    Alternative,
    Place,
    find_alternatives,
    measure_units,
    with_joins,
)
from query.index import UnitIndex
from query.rules import REST

NOT_TRANSPOSED = (0,)
SPARE = 4  # search this many times the units shown: some are cheaper, some of one passage


def alternatives_document(
    state: State,
    sources: PlanSources,
    workspace: Workspace,
    number: int,
    k: int,
    pinned: Sequence[int | str] = (),
) -> dict[str, Any]:
    """Describe k units near the target of a step, and those of `pinned` that exist.

    If the units of the plan were chosen by their spectra, they are those that fit best what the
    other voices play, each with the transposition at which it does; pinned ones have none.

    The cheapest come first, by the cost of the path: distance + continuity * (join + join_next).
    There is one unit of each passage before a second of any.

    Raises
    ------
    PlanError
        If the plan is of another database, or its settings are wrong.
    ParameterError
        If the step has neither a target nor a unit of the database.
    """
    plan = state.plan
    database = workspace.database
    check_database(plan, database)
    search = PlanSettings.of(plan).search
    step = plan.steps[number]
    positions = np.array([find_unit(unit, database) for unit in pinned], np.int64)
    existing = positions[positions != REST]
    units = workspace.voice_units(plan)
    if units and step.target != NO_TARGET:
        found, measured = _of_voices(plan, number, units, SPARE * k + 1, existing)
    else:
        index = workspace.index(search)
        found, measured = _of_descriptors(plan, number, index, SPARE * k + 1, existing)
    own = position_of(step, database)
    continuity = search.path.continuity
    found.sort(key=lambda other: other.distance + continuity * (other.join + other.join_next))
    shown = _varied(found, own, database)[:k]
    shifts = units.semitones if units else NOT_TRANSPOSED
    return {
        "step": number,
        "revision": state.revision,
        "chosen": _chosen(sources, plan, number, database),
        "alternatives": [_unit_facts(one, step, sources, workspace, shifts) for one in shown],
        "pinned": [_unit_facts(one, step, sources, workspace, shifts) for one in measured],
    }


def _of_descriptors(
    plan: Plan, number: int, index: UnitIndex, k: int, pinned: np.ndarray
) -> tuple[list[Alternative], list[Alternative]]:
    """Return the k units near the target of a step but its own, and the pinned ones."""
    target = _target(plan, number, index.database)
    place = _place(plan, number, index.database, None)
    own = position_of(plan.steps[number], index.database)
    found = find_alternatives(index, target, place, k=k)
    measured = measure_units(index.space, target, pinned, place) if len(pinned) else []
    return [other for other in found if other.position != own], measured


def _of_voices(
    plan: Plan, number: int, units: VoiceUnits, k: int, pinned: np.ndarray
) -> tuple[list[Alternative], list[Alternative]]:
    """Return some k units that fit what the other voices lack, and the pinned ones."""
    costs = VoiceCosts(plan, units)
    place = _place(plan, number, units.database, units)
    own = units.position_of(plan.steps[number])
    proposed = costs.propose(number, k)
    wanted = np.concatenate([proposed[proposed != own], pinned])
    distances, _ = costs.at(number, wanted)
    measured = with_joins(units.space, wanted, distances, place)
    n_found = len(wanted) - len(pinned)
    return measured[:n_found], measured[n_found:]


def _varied(found: list[Alternative], own: int, database: Database) -> list[Alternative]:
    """Order units so that one of each passage comes first, none of the step's own passage."""
    positions = [one.position % len(database.units) for one in found]
    are_new = new_passages(positions, database, [] if own == REST else [own])
    pairs = list(zip(found, are_new, strict=True))
    firsts = [one for one, is_new in pairs if is_new]
    return firsts + [one for one, is_new in pairs if not is_new]


def _unit_facts(
    other: Alternative,
    step: Step,
    sources: PlanSources,
    workspace: Workspace,
    semitones: Sequence[int],
) -> dict[str, Any]:
    """Describe a unit at a step: its costs, its source, and its length there.

    `semitones` are the transpositions of the copies of all units that its position counts.
    """
    units = workspace.database.units
    rate = workspace.database.sample_rate
    copy, position = divmod(other.position, len(units))
    path = workspace.source_of(position).path
    return {
        "unit": unit_name(position, workspace.database),
        "transpose": semitones[copy],
        "distance": round(other.distance, DECIMALS),
        "join": round(other.join, DECIMALS),
        "join_next": round(other.join_next, DECIMALS),
        "too_short": other.too_short,
        "source": path,
        "source_number": workspace.source_numbers[path],
        "missing": sources.problem(path),
        "start_seconds": int(units.start_sample[position]) / rate,
        "seconds": min(int(units.samples_left[position]), step.n_samples) / rate,
    }


def _target(plan: Plan, number: int, database: Database) -> np.ndarray:
    """Return the target of a step; if it has none, the descriptors of its unit."""
    step = plan.steps[number]
    if plan.targets is not None and step.target != NO_TARGET:
        return plan.targets.rows[step.target]
    position = position_of(step, database)
    if position == REST:
        raise ParameterError(
            f"step {number} was written by hand: it has no target and no unit of {database.path} to"
            " compare with"
        )
    return database.rows_at(np.array([position]))[0]


def _place(plan: Plan, number: int, database: Database, units: VoiceUnits | None) -> Place:
    """Return the units that its voice plays right before and right after a step."""
    step = plan.steps[number]
    before = REST
    before_samples = 0
    previous = plan.steps[number - 1]
    if number and _follows(previous, step):
        before = find_step(previous, database, units)
    if before != REST:
        before_samples = samples_played(previous, before % len(database.units), database)
    following = _next_step(plan, number)
    after = find_step(following, database, units) if following else REST
    return Place(step.n_samples, before, before_samples, after)


def _next_step(plan: Plan, number: int) -> Step | None:
    """Return the step right after a step; None if a rest or the end of its voice follows."""
    if number + 1 == len(plan.steps):
        return None
    following = plan.steps[number + 1]
    return following if _follows(plan.steps[number], following) else None


def _follows(step: Step, following: Step) -> bool:
    return following.voice == step.voice and following.at_sample == step.until_sample


def _chosen(sources: PlanSources, plan: Plan, number: int, database: Database) -> dict[str, Any]:
    """Describe the step's own unit in the same way."""
    step = plan.steps[number]
    following = _next_step(plan, number)
    return {
        "unit": named_unit(step.unit, step.source, database),
        "transpose": step.transpose,
        "source": step.source,
        "missing": sources.problem(step.source),
        "start_seconds": step.start_sample / plan.sample_rate,
        "seconds": step.n_samples / plan.sample_rate,
        "distance": step.distance,
        "join": step.join,
        "join_next": following.join if following else 0.0,
        "too_short": False,
    }
