"""An open plan as JSON: what is played when, why, and how far its sound is."""

from dataclasses import asdict
from itertools import pairwise
from typing import Any

import numpy as np

from db.database import Database
from demiurge.plans.locate import check_database, is_own, positions_of
from demiurge.web.timeline.editor import Editor, State
from demiurge.web.workspace import Workspace
from files.errors import PlanError
from files.names import printable
from playback.plan import Plan
from playback.runs import is_contiguous
from playback.sources import sources_of
from query.path import REST
from query.settings import SearchSettings

COLUMNS = (
    "unit",
    "start_sample",
    "n_samples",
    "at_sample",
    "gain_db",
    "distance",
    "join",
    "target",
    "locked",
)


def plan_document(editor: Editor, workspace: Workspace) -> dict[str, Any]:
    """All about the plan as it is now."""
    state = editor.state
    database = workspace.database
    plan = state.plan
    sources = {source: number for number, source in enumerate(sources_of(plan))}
    return {
        "id": state.file.id,
        "name": state.file.name,
        "revision": state.revision,
        "dirty": state.dirty,
        "can_undo": state.undo is not None,
        "can_redo": state.redo is not None,
        "undo": state.undo,
        "redo": state.redo,
        "sample_rate": plan.sample_rate,
        "channels": plan.channels,
        "n_samples": plan.n_samples,
        "audio": editor.audio,
        "settings": plan.settings,
        "options": options_of(plan),
        "has_targets": plan.targets is not None,
        "descriptors": list(database.settings.names) if is_own(plan, database) else [],
        "notes": _notes(editor, state, database),
        "sources": [
            {
                "path": source,
                "number": workspace.source_numbers.get(source),
                "missing": editor.corpus.problem(source),
            }
            for source in sources
        ],
        "steps": _columns(plan, sources),
    }


def options_of(plan: Plan) -> dict[str, Any]:
    """What the plan's path was asked to be like; null where there is no limit, nothing if the
    settings make no sense.
    """
    try:
        options = asdict(SearchSettings.from_settings(plan.settings).path)
    except PlanError:
        return {}
    return {name: None if value == np.inf else value for name, value in options.items()}


def _columns(plan: Plan, sources: dict[str, int]) -> dict[str, list]:
    """The steps, column by column; "contiguous" says that a step goes on from the one before."""
    steps = plan.steps
    columns: dict[str, list] = {name: [getattr(step, name) for step in steps] for name in COLUMNS}
    columns["source"] = [sources[step.source] for step in steps]
    columns["contiguous"] = [False, *(is_contiguous(*pair) for pair in pairwise(steps))]
    return columns


def _notes(editor: Editor, state: State, database: Database) -> list[str]:
    """What somebody should know before they wonder."""
    plan = state.plan
    notes = []
    if not is_own(plan, database):
        notes.append(
            f"This plan was made from another database, of {printable(plan.database['root'])}: it"
            " can be heard, repeated, cut and locked, but other units cannot be chosen here. Open"
            " it with its own: demiurge browse ITS_DB --plan …"
        )
    else:
        try:
            check_database(plan, database)
            SearchSettings.from_settings(plan.settings)
        except PlanError as error:
            notes.append(f"Other units cannot be chosen: {error}.")
    if state.recording is None:
        return notes
    silent = [
        number for number, step in enumerate(plan.steps) if not editor.corpus.is_audible(step)
    ]
    if len(silent) == len(plan.steps):
        notes.append("Nothing of this plan can be heard: none of its sources can be played.")
    elif silent:
        many = f"{len(silent)} steps are" if len(silent) > 1 else "1 step is"
        notes.append(
            f"{many} silent, for what they play is missing, has changed or is over too soon."
        )
    return notes


def curves(plan: Plan, database: Database, name: str) -> np.ndarray:
    """One descriptor as it was wanted at each step, then as it is, raw, float32; NaN where that is
    not known.
    """
    column = database.settings.names.index(name)
    wanted, matched = np.full((2, len(plan.steps)), np.nan, np.float32)
    if plan.targets is not None and plan.targets.n_descriptors == database.settings.n_descriptors:
        rows = np.array([step.target for step in plan.steps])
        wanted[rows >= 0] = plan.targets.rows[rows[rows >= 0], column]
    positions = positions_of(plan.steps, database)
    matched[positions != REST] = database.rows_at(positions[positions != REST])[:, column]
    return np.concatenate([wanted, matched])
