"""Other units for a step of an open plan, and what each would cost there."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from db.database import Database
from demiurge.plans.locate import check_database, position_of
from demiurge.plans.make import DECIMALS
from demiurge.web.passages import new_passages
from demiurge.web.timeline.editor import State
from demiurge.web.timeline.sources import PlanSources
from demiurge.web.workspace import Workspace
from files.errors import ParameterError
from playback.plan import Plan, Step
from playback.steps import NO_TARGET
from query.alternatives import Alternative, find_alternatives, measure_units
from query.index import UnitIndex
from query.path import REST
from query.settings import SearchSettings

SPARE = 4  # times as many units are searched as are shown: some are cheaper, some of one passage


@dataclass(frozen=True)
class _Place:
    """A step of a plan, with what is needed to measure other units there.

    `target` is raw, (n_descriptors,); `before` is the unit right before and how long it lasts,
    `after` the unit right after, both None beside a rest.
    """

    plan: Plan
    number: int
    target: np.ndarray
    before: tuple[int, int] | None
    after: int | None

    @classmethod
    def of(cls, plan: Plan, number: int, database: Database) -> "_Place":
        return cls(
            plan,
            number,
            _target(plan, number, database),
            _before(plan, number, database),
            _after(plan, number, database),
        )

    @property
    def step(self) -> Step:
        return self.plan.steps[self.number]

    def find(self, index: UnitIndex, k: int) -> list[Alternative]:
        """Return the nearest units but the one of the step; raises as `find_alternatives`."""
        found = find_alternatives(
            index,
            self.target,
            k=k + 1,
            before=self.before,
            after=self.after,
            n_samples=self.step.n_samples,
        )
        return [other for other in found if other.unit != self.step.unit]

    def measure(self, index: UnitIndex, units: list[int]) -> list[Alternative]:
        """Return what given units would cost."""
        if not units:
            return []
        return measure_units(
            index,
            self.target,
            np.array(units),
            before=self.before,
            after=self.after,
            n_samples=self.step.n_samples,
        )


def alternatives_document(
    state: State,
    sources: PlanSources,
    workspace: Workspace,
    number: int,
    k: int,
    pinned: Sequence[int] = (),
) -> dict[str, Any]:
    """Describe k units near the target of a step, and those of `pinned` that exist.

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
    search = SearchSettings.from_settings(plan.settings)
    index = workspace.index(search)
    place = _Place.of(plan, number, database)
    others = place.find(index, SPARE * k)
    continuity = search.path.continuity
    others.sort(key=lambda other: other.distance + continuity * (other.join + other.join_next))
    existing = [unit for unit in pinned if database.units.find(unit) >= 0]
    shown = _varied(others, place.step, database)[:k]
    return {
        "step": number,
        "revision": state.revision,
        "chosen": _chosen(sources, plan, number),
        "alternatives": _rows(shown, place.step, sources, workspace),
        "pinned": _rows(place.measure(index, existing), place.step, sources, workspace),
    }


def _rows(
    alternatives: list[Alternative], step: Step, sources: PlanSources, workspace: Workspace
) -> list[dict[str, Any]]:
    return [_costs(one) | _source_facts(one.unit, step, sources, workspace) for one in alternatives]


def _varied(found: list[Alternative], step: Step, database: Database) -> list[Alternative]:
    """Order units so that one of each passage comes first, none of the step's own passage."""
    own = position_of(step, database)
    positions = database.units.find([one.unit for one in found]).tolist()
    are_new = new_passages(positions, database, [] if own == REST else [own])
    pairs = list(zip(found, are_new, strict=True))
    firsts = [one for one, is_new in pairs if is_new]
    return firsts + [one for one, is_new in pairs if not is_new]


def _source_facts(
    unit: int, step: Step, sources: PlanSources, workspace: Workspace
) -> dict[str, Any]:
    """Describe where a unit comes from, and how long it would last at a step."""
    units = workspace.database.units
    rate = workspace.database.sample_rate
    position = int(units.find(unit))
    path = workspace.source_of(position).path
    return {
        "source": path,
        "source_number": workspace.source_numbers[path],
        "missing": sources.problem(path),
        "start_seconds": int(units.start_sample[position]) / rate,
        "seconds": min(int(units.samples_left[position]), step.n_samples) / rate,
    }


def _costs(other: Alternative) -> dict[str, Any]:
    return {
        name: round(value, DECIMALS) if isinstance(value, float) else value
        for name, value in vars(other).items()
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


def _before(plan: Plan, number: int, database: Database) -> tuple[int, int] | None:
    """Return the unit right before a step, and how long it lasts."""
    step = plan.steps[number - 1]
    if number == 0 or step.until_sample != plan.steps[number].at_sample:
        return None
    position = position_of(step, database)
    if position == REST:
        return None
    return step.unit, step.end_sample - int(database.units.start_sample[position])


def _after(plan: Plan, number: int, database: Database) -> int | None:
    """Return the unit right after a step."""
    step = _next_step(plan, number)
    return step.unit if step and position_of(step, database) != REST else None


def _next_step(plan: Plan, number: int) -> Step | None:
    """Return the step right after a step; None if a rest or the end of the plan follows."""
    if number + 1 == len(plan.steps):
        return None
    step = plan.steps[number + 1]
    return step if step.at_sample == plan.steps[number].until_sample else None


def _chosen(sources: PlanSources, plan: Plan, number: int) -> dict[str, Any]:
    """Describe the step's own unit with the same facts."""
    step = plan.steps[number]
    following = _next_step(plan, number)
    return {
        "unit": step.unit,
        "source": step.source,
        "missing": sources.problem(step.source),
        "start_seconds": step.start_sample / plan.sample_rate,
        "seconds": step.n_samples / plan.sample_rate,
        "distance": step.distance,
        "join": step.join,
        "join_next": following.join if following else 0.0,
        "too_short": False,
    }
