"""What else could be played at a step of an open plan, and what that would cost."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from db.database import Database
from db.errors import ParameterError
from demiurge.belonging import check_database, position_of
from demiurge.pipeline import Selection
from demiurge.planning import DECIMALS
from demiurge.web.editor import State
from demiurge.web.heard import Corpus
from demiurge.web.passages import new_passages
from demiurge.web.workspace import Workspace
from playback.plan import NO_TARGET, Plan, Step
from query.alternatives import Alternative, find_alternatives
from query.index import UnitIndex
from query.joins import JoinCosts
from query.locks import find_units
from query.path import REST

MORE = 4  # times as many are looked for as are shown: some are cheaper, some of the same passage


def alternatives_document(
    state: State, corpus: Corpus, workspace: Workspace, number: int, k: int, pinned: Sequence[int] = ()
) -> dict[str, Any]:
    """k units near to what was wanted at a step, without the one that is played there; and those of `pinned` that there are.

    The cheapest come first, as the plan's path pays: distance + continuity * join. One of each passage comes first.

    Raises
    ------
    PlanError
        If the plan is of another database, or its settings ask for what there is not.
    ParameterError
        If the step plays no unit of the database and nothing was wanted there.
    """
    plan, step, database = state.plan, state.plan.steps[number], workspace.database
    check_database(plan, database)
    selection = Selection.from_settings(plan.settings)
    index, target = workspace.index(selection), _target(plan, number, database)
    before, after = _before(plan, number, database), _after(plan, number, database)
    joined = partial(find_alternatives, before=before, after=after, n_samples=step.n_samples)
    measured = partial(_measured, before=before, after=after, n_samples=step.n_samples)
    found = [one for one in joined(index, target, k=MORE * k + 1) if one.unit != step.unit]
    found.sort(key=lambda one: one.distance + selection.path.continuity * one.join)
    known = [unit for unit in pinned if find_units(database.units, np.array(unit)) != REST]

    def rows(alternatives: list[Alternative]) -> list[dict[str, Any]]:
        return [_rounded(one) | _place(corpus, workspace, one.unit, step) for one in alternatives]

    return {
        "step": number, "revision": state.revision, "chosen": _chosen(corpus, plan, number),
        "alternatives": rows(_varied(found, step, database)[:k]),
        "pinned": rows(measured(index, target, known)) if known else [],
    }  # fmt: skip


def _varied(found: list[Alternative], step: Step, database: Database) -> list[Alternative]:
    """One of each passage first, none of them of that which is played."""
    played = position_of(step, database)
    positions = database.positions(np.array([one.unit for one in found], np.int64)).tolist()
    are_new = new_passages(positions, database, [] if played == REST else [played])
    return [one for wanted in (True, False) for one, is_new in zip(found, are_new, strict=True) if is_new == wanted]


def _measured(
    index: UnitIndex, target: np.ndarray, units: list[int], *, before: tuple[int, int] | None, after: int | None, n_samples: int
) -> list[Alternative]:
    """What units cost that are not found by what was wanted, as `find_alternatives` has it."""
    database, joins, positions = index.database, JoinCosts(index), index.positions(np.array(units))
    unit_before, lasted = before or (REST, 0)
    first, last = (REST if unit is None else int(find_units(database.units, np.array(unit))) for unit in (unit_before, after))
    distances = index.metric.of_differences(index.scores(positions) - index.normalise(target[None]))
    join = joins.to_each(np.array([first]), np.array([lasted]), positions[None])[0]
    join_next = joins.to_each(positions, np.full(len(units), n_samples), np.full((len(units), 1), last))[:, 0]
    columns = distances.tolist(), join.tolist(), join_next.tolist(), (database.units.room[positions] < n_samples).tolist()
    return [Alternative(*facts) for facts in zip(units, *columns, strict=True)]


def _place(corpus: Corpus, workspace: Workspace, unit: int, step: Step) -> dict[str, Any]:
    """Where a unit is to be found, and how long it would sound at a step."""
    units, rate = workspace.database.units, workspace.database.sample_rate
    position = int(workspace.database.positions(np.array(unit)))
    path = workspace.source_of(position).path
    return {
        "source": path, "source_number": workspace.source_numbers[path], "missing": corpus.problem(path),
        "start_seconds": int(units.start_sample[position]) / rate,
        "seconds": min(int(units.room[position]), step.n_samples) / rate,
    }  # fmt: skip


def _rounded(other: Alternative) -> dict[str, Any]:
    return {name: round(value, DECIMALS) if isinstance(value, float) else value for name, value in vars(other).items()}


def _target(plan: Plan, number: int, database: Database) -> np.ndarray:
    """What was wanted at a step, raw, (n_descriptors,); what its own unit is, where that is not known."""
    step = plan.steps[number]
    if plan.targets is not None and step.target != NO_TARGET:
        return plan.targets.rows[step.target]
    if (position := position_of(step, database)) == REST:
        raise ParameterError(f"step {number} was written by hand: it has no target and no unit of {database.path} to go by")
    return database.rows_at(np.array([position]))[0]


def _before(plan: Plan, number: int, database: Database) -> tuple[int, int] | None:
    """The unit that is played right before a step, and for how long."""
    step = plan.steps[number - 1]
    if not number or step.until_sample != plan.steps[number].at_sample or (position := position_of(step, database)) == REST:
        return None
    return step.unit, step.end_sample - int(database.units.start_sample[position])


def _after(plan: Plan, number: int, database: Database) -> int | None:
    """The unit that is played right behind a step."""
    following = _following(plan, number)
    return following.unit if following and position_of(following, database) != REST else None


def _following(plan: Plan, number: int) -> Step | None:
    step = plan.steps[number + 1] if number + 1 < len(plan.steps) else None
    return step if step and step.at_sample == plan.steps[number].until_sample else None


def _chosen(corpus: Corpus, plan: Plan, number: int) -> dict[str, Any]:
    """What is played, with the same facts."""
    step, following = plan.steps[number], _following(plan, number)
    return {
        "unit": step.unit, "source": step.source, "missing": corpus.problem(step.source),
        "start_seconds": step.start_sample / plan.sample_rate, "seconds": step.n_samples / plan.sample_rate,
        "distance": step.distance, "join": step.join, "join_next": following.join if following else 0.0, "too_short": False,
    }  # fmt: skip
