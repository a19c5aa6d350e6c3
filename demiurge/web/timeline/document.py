"""JSON documents of an open plan: the whole plan, and the changes by an edit."""

from collections.abc import Iterable
from dataclasses import asdict
from itertools import pairwise
from typing import Any

import numpy as np

from db.database import Database
from demiurge.plans.locate import check_database, is_own, positions_of
from demiurge.plans.reselect import why_never_again
from demiurge.plans.settings import PlanSettings
from demiurge.web.timeline.changed_steps import find_changed_steps
from demiurge.web.timeline.editor import Edited, Editor, State
from demiurge.web.timeline.vary import masked_model
from demiurge.web.workspace import Workspace
from files.errors import DemiurgeError, PlanError
from files.names import printable
from files.roots import SEPARATOR
from playback.plan import Plan, Step
from playback.runs import is_contiguous
from playback.sources import sources_of
from playback.steps import NO_UNIT
from query.rules import REST

COLUMNS = (
    "start_sample",
    "n_samples",
    "at_sample",
    "gain_db",
    "transpose",
    "stretch",
    "voice",
    "distance",
    "join",
    "target",
    "locked",
)
OTHER_DATABASE = (
    "This plan was made from another database, of {root}: its steps can be played, repeated,"
    " removed and locked, but other units cannot be chosen here. Open it with its own database:"
    " demiurge browse ITS_DB --plan …"
)


def plan_document(editor: Editor, workspace: Workspace) -> dict[str, Any]:
    """Describe the current state of a plan."""
    state = editor.state
    database = workspace.database
    plan = state.plan
    names = list(database.settings.names) if is_own(plan, database) else []
    return _revision_facts(editor, state, database) | {
        "sample_rate": plan.sample_rate,
        "channels": plan.channels,
        "settings": plan.settings,
        "has_targets": plan.targets is not None,
        "databases": list(plan.database.get("databases", ())),
        "descriptors": names,
        "masked_model": _masked_model(workspace),
        **_steps_with_sources(editor, workspace, plan, 0, len(plan.steps)),
    }


def _masked_model(workspace: Workspace) -> str | None:
    """Return the name of the model that varies the rest of a plan; None if there is none."""
    try:
        folder = masked_model(workspace)
    except DemiurgeError:  # it was changed since; the edit says how
        return None
    return printable(folder.name) if folder else None


def edit_document(editor: Editor, edited: Edited, workspace: Workspace) -> dict[str, Any]:
    """Describe the changes by an edit.

    `steps` replaces the old steps `start` to `stop`; its `source` column holds indices into
    `sources`. The steps after it begin `shift` samples later. `missing` holds the problems of the
    plan's sources by path. `change` gives the samples that changed, and is null while the whole
    audio is being rendered.
    """
    before = edited.before.plan
    after = edited.after.plan
    found = find_changed_steps(before, after)
    problems = {source: editor.renderer.sources.problem(source) for source in sources_of(after)}
    return _revision_facts(editor, edited.after, workspace.database) | {
        "start": found.start,
        "stop": found.stop,
        "shift": found.shift,
        **_steps_with_sources(editor, workspace, after, found.start, found.new_stop),
        "missing": {source: problem for source, problem in problems.items() if problem},
        "change": _change_facts(edited, after.sample_rate),
    }


def _revision_facts(editor: Editor, state: State, database: Database) -> dict[str, Any]:
    """Return the facts, other than the steps, that any edit may change."""
    plan = state.plan
    return {
        "id": state.file.id,
        "name": state.file.name,
        "revision": state.revision,
        "dirty": state.dirty,
        "can_undo": state.undo is not None,
        "can_redo": state.redo is not None,
        "undo": state.undo,
        "redo": state.redo,
        "n_steps": len(plan.steps),
        "n_samples": plan.n_samples,
        "options": path_options_of(plan),
        "never_again": why_never_again(plan),
        "audio": editor.publisher.audio_facts(state.audio),
        "notes": _notes(state, database),
    }


def _change_facts(edited: Edited, sample_rate: int) -> dict[str, Any] | None:
    change = edited.change
    if change is None:
        return None
    seconds = (change.new_stop - change.start) / sample_rate
    return asdict(change) | {
        "seconds_rendered": seconds,
        "milliseconds": round(edited.milliseconds, 1),
    }


def path_options_of(plan: Plan) -> dict[str, Any]:
    """Return the options of a plan's path; null stands for no limit.

    It is empty if the settings of the plan are invalid.
    """
    try:
        options = asdict(PlanSettings.of(plan).search.path)
    except PlanError:
        return {}
    return {name: None if value == np.inf else value for name, value in options.items()}


def _steps_with_sources(
    editor: Editor, workspace: Workspace, plan: Plan, start: int, stop: int
) -> dict[str, Any]:
    """Return steps as columns, and the sources that the column "source" refers to by index."""
    steps = plan.steps[start:stop]
    numbers = {source: n for n, source in enumerate(dict.fromkeys(step.source for step in steps))}
    columns: dict[str, list] = {name: [getattr(step, name) for step in steps] for name in COLUMNS}
    columns["unit"] = [_unit_name(step, plan) for step in steps]
    columns["source"] = [numbers[step.source] for step in steps]
    columns["contiguous"] = _contiguous(plan, start, stop)
    return {"sources": _source_facts(editor, workspace, numbers), "steps": columns}


def _unit_name(step: Step, plan: Plan) -> int | str:
    """Return the name of a step's unit in the plan's own databases; -1 if it plays none."""
    database, _ = plan.roots.split(step.source)
    return f"{database}{SEPARATOR}{step.unit}" if database and step.unit != NO_UNIT else step.unit


def _contiguous(plan: Plan, start: int, stop: int) -> list[bool]:
    """Return for each step whether it simply continues the one before it."""
    first = [] if start else [False]
    return [
        *first,
        *(is_contiguous(*pair) for pair in pairwise(plan.steps[max(start - 1, 0) : stop])),
    ]


def _source_facts(
    editor: Editor, workspace: Workspace, sources: Iterable[str]
) -> list[dict[str, Any]]:
    return [
        {
            "path": source,
            "number": workspace.source_numbers.get(source),
            "missing": editor.renderer.sources.problem(source),
        }
        for source in sources
    ]


def _notes(state: State, database: Database) -> list[str]:
    """Return notes that explain to the user what is not possible with this plan."""
    notes = [_choice_note(state.plan, database), _silence_note(state)]
    return [note for note in notes if note]


def _choice_note(plan: Plan, database: Database) -> str | None:
    """Return why other units cannot be chosen; None if they can."""
    if not is_own(plan, database):
        return OTHER_DATABASE.format(root=printable(str(plan.roots)))
    try:
        check_database(plan, database)
        PlanSettings.of(plan)
    except PlanError as error:
        return f"Other units cannot be chosen: {error}."
    return None


def _silence_note(state: State) -> str | None:
    """Return how many steps are silent; None if none is, or the audio is not rendered yet."""
    if state.rendered is None:
        return None
    playable = state.rendered.playable
    if playable is None:
        return "Nothing of this plan can be played: none of its sources is usable."
    n_silent = len(state.plan.steps) - len(playable.steps)
    if not n_silent:
        return None
    steps_are = f"{n_silent} steps are" if n_silent > 1 else "1 step is"
    return f"{steps_are} silent: the source is missing, has changed, or is too short."


def curves(plan: Plan, database: Database, name: str) -> np.ndarray:
    """Return one descriptor at each step: of its target, then of its unit; raw, float32.

    It is NaN where the target or the unit is not known.
    """
    column = database.settings.names.index(name)
    n_steps = len(plan.steps)
    wanted = np.full(n_steps, np.nan, np.float32)
    found = np.full(n_steps, np.nan, np.float32)
    if plan.targets is not None and plan.targets.n_descriptors == database.settings.n_descriptors:
        rows = np.array([step.target for step in plan.steps])
        wanted[rows >= 0] = plan.targets.rows[rows[rows >= 0], column]
    positions = positions_of(plan.steps, database)
    is_known = positions != REST
    found[is_known] = database.rows_at(positions[is_known])[:, column]
    return np.concatenate([wanted, found])
