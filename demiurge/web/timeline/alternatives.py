"""What else could be played at a step of an open plan, and what that would cost."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from db.database import Database
from demiurge.plans.locate import check_database, position_of
from demiurge.plans.make import DECIMALS
from demiurge.web.passages import new_passages
from demiurge.web.timeline.editor import State
from demiurge.web.timeline.playable import Corpus
from demiurge.web.workspace import Workspace
from files.errors import ParameterError
from playback.plan import Plan, Step
from playback.steps import NO_TARGET
from query.alternatives import Alternative, find_alternatives, measure_units
from query.locked_steps import find_units
from query.path import REST
from query.settings import SearchSettings

MORE = 4  # times as many are looked for as are shown: some are cheaper, some of the same passage


def alternatives_document(
    state: State,
    corpus: Corpus,
    workspace: Workspace,
    number: int,
    k: int,
    pinned: Sequence[int] = (),
) -> dict[str, Any]:
    """k units near to what was wanted at a step, without the one that is played there; and those of
    `pinned` that there are.

    The cheapest come first, by what the path pays: distance + continuity * (join + join_next); of
    those, one of each passage.

    Raises
    ------
    PlanError
        If the plan is of another database, or its settings ask for what there is not.
    ParameterError
        If the step plays no unit of the database and nothing was wanted there.
    """
    plan = state.plan
    step = state.plan.steps[number]
    database = workspace.database
    check_database(plan, database)
    search = SearchSettings.from_settings(plan.settings)
    index = workspace.index(search)
    target = _target(plan, number, database)
    before = _before(plan, number, database)
    after = _after(plan, number, database)
    found = find_alternatives(
        index, target, k=MORE * k + 1, before=before, after=after, n_samples=step.n_samples
    )
    others = [other for other in found if other.unit != step.unit]
    others.sort(
        key=lambda other: other.distance + search.path.continuity * (other.join + other.join_next)
    )
    known = [unit for unit in pinned if find_units(database.units, np.array(unit)) != REST]
    asked_for = (
        measure_units(
            index, target, np.array(known), before=before, after=after, n_samples=step.n_samples
        )
        if known
        else []
    )

    def rows(alternatives: list[Alternative]) -> list[dict[str, Any]]:
        return [_rounded(one) | _place(corpus, workspace, one.unit, step) for one in alternatives]

    return {
        "step": number,
        "revision": state.revision,
        "chosen": _chosen(corpus, plan, number),
        "alternatives": rows(_varied(others, step, database)[:k]),
        "pinned": rows(asked_for),
    }


def _varied(found: list[Alternative], step: Step, database: Database) -> list[Alternative]:
    """One of each passage first, none of them of that which is played."""
    played = position_of(step, database)
    positions = database.positions(np.array([one.unit for one in found], np.int64)).tolist()
    are_new = new_passages(positions, database, [] if played == REST else [played])
    return [
        one
        for wanted in (True, False)
        for one, is_new in zip(found, are_new, strict=True)
        if is_new == wanted
    ]


def _place(corpus: Corpus, workspace: Workspace, unit: int, step: Step) -> dict[str, Any]:
    """Where a unit is to be found, and how long it would sound at a step."""
    units = workspace.database.units
    rate = workspace.database.sample_rate
    position = int(workspace.database.positions(np.array(unit)))
    path = workspace.source_of(position).path
    return {
        "source": path,
        "source_number": workspace.source_numbers[path],
        "missing": corpus.problem(path),
        "start_seconds": int(units.start_sample[position]) / rate,
        "seconds": min(int(units.room[position]), step.n_samples) / rate,
    }


def _rounded(other: Alternative) -> dict[str, Any]:
    return {
        name: round(value, DECIMALS) if isinstance(value, float) else value
        for name, value in vars(other).items()
    }


def _target(plan: Plan, number: int, database: Database) -> np.ndarray:
    """What was wanted at a step, raw, (n_descriptors,); what its own unit is, where that is not
    known.
    """
    step = plan.steps[number]
    if plan.targets is not None and step.target != NO_TARGET:
        return plan.targets.rows[step.target]
    if (position := position_of(step, database)) == REST:
        raise ParameterError(
            f"step {number} was written by hand: it has no target and no unit of {database.path} to"
            " go by"
        )
    return database.rows_at(np.array([position]))[0]


def _before(plan: Plan, number: int, database: Database) -> tuple[int, int] | None:
    """The unit that is played right before a step, and for how long."""
    step = plan.steps[number - 1]
    if (
        not number
        or step.until_sample != plan.steps[number].at_sample
        or (position := position_of(step, database)) == REST
    ):
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
    step = plan.steps[number]
    following = _following(plan, number)
    return {
        "unit": step.unit,
        "source": step.source,
        "missing": corpus.problem(step.source),
        "start_seconds": step.start_sample / plan.sample_rate,
        "seconds": step.n_samples / plan.sample_rate,
        "distance": step.distance,
        "join": step.join,
        "join_next": following.join if following else 0.0,
        "too_short": False,
    }
