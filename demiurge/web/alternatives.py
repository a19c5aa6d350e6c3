"""What else could be played at a step of an open plan, and what that would cost."""

from typing import Any

import numpy as np

from db.database import Database
from db.errors import ParameterError
from demiurge.editing import check_database
from demiurge.pipeline import Selection
from demiurge.planning import DECIMALS
from demiurge.web.editor import Editor
from demiurge.web.workspace import Workspace
from playback.plan import NO_TARGET, Plan, Step
from query.alternatives import Alternative, find_alternatives
from query.locks import find_units


def alternatives_document(editor: Editor, workspace: Workspace, number: int, k: int) -> dict[str, Any]:
    """The k units nearest to what was wanted at a step, nearest first, without the one that is played there.

    Raises
    ------
    PlanError
        If the plan is of another database, or its settings ask for what there is not.
    ParameterError
        If the step plays no unit of the database and nothing was wanted there.
    """
    state, database = editor.state, workspace.database
    plan, step = state.plan, state.plan.steps[number]
    check_database(plan, database)
    found = find_alternatives(
        workspace.index(Selection.from_settings(plan.settings)), _target(plan, number, database), k=k + 1,
        before=_before(plan, number, database), after=_after(plan, number, database), n_samples=step.n_samples,
    )  # fmt: skip

    others = [_rounded(other) | _place(editor, workspace, other.unit, step) for other in found if other.unit != step.unit]
    return {"step": number, "revision": state.revision, "chosen": _chosen(editor, plan, number), "alternatives": others[:k]}


def _place(editor: Editor, workspace: Workspace, unit: int, step: Step) -> dict[str, Any]:
    """Where a unit is to be found, and how long it would sound at a step."""
    units, rate = workspace.database.units, workspace.database.sample_rate
    position = int(workspace.database.positions(np.array(unit)))
    path = workspace.source_of(position).path
    return {
        "source": path, "source_number": workspace.source_numbers[path], "missing": editor.corpus.problem(path),
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
    if not _is_known(step, database):
        raise ParameterError(f"step {number} was written by hand: it has no target and no unit of {database.path} to go by")
    return database.unit_descriptors(np.array([step.unit]))[0]


def _before(plan: Plan, number: int, database: Database) -> tuple[int, int] | None:
    """The unit that is played right before a step, and for how long."""
    step = plan.steps[number - 1]
    if not number or step.until_sample != plan.steps[number].at_sample or not _is_known(step, database):
        return None
    position = int(database.positions(np.array(step.unit)))
    return step.unit, step.end_sample - int(database.units.start_sample[position])


def _after(plan: Plan, number: int, database: Database) -> int | None:
    """The unit that is played right behind a step."""
    following = _following(plan, number)
    return following.unit if following and _is_known(following, database) else None


def _following(plan: Plan, number: int) -> Step | None:
    step = plan.steps[number + 1] if number + 1 < len(plan.steps) else None
    return step if step and step.at_sample == plan.steps[number].until_sample else None


def _is_known(step: Step, database: Database) -> bool:
    return len(database.units) > 0 and bool(find_units(database.units, np.array(step.unit)) >= 0)


def _chosen(editor: Editor, plan: Plan, number: int) -> dict[str, Any]:
    """What is played, with the same facts."""
    step, following = plan.steps[number], _following(plan, number)
    return {
        "unit": step.unit, "source": step.source, "missing": editor.corpus.problem(step.source),
        "start_seconds": step.start_sample / plan.sample_rate, "seconds": step.n_samples / plan.sample_rate,
        "distance": step.distance, "join": step.join, "join_next": following.join if following else 0.0, "too_short": False,
    }  # fmt: skip
