"""The open plans, shared by all pages; plans with unsaved edits are never closed."""

import tempfile
import threading
from collections import OrderedDict
from concurrent.futures import wait
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import click
from starlette.exceptions import HTTPException

from demiurge.plans.locate import is_own
from demiurge.web.plans import PlanFile, Plans
from demiurge.web.timeline.editor import Editor
from demiurge.web.timeline.history import History
from demiurge.web.timeline.publisher import Publisher
from demiurge.web.timeline.renderer import Renderer
from demiurge.web.timeline.sources import PlanSources
from demiurge.web.workspace import Workspace
from files.cache import cache_folder
from files.errors import DemiurgeError
from files.system import SYSTEM_ERRORS, error_message
from playback.options import CrossfadeOptions
from playback.plan import Plan

KEPT = 8  # plans that stay open when no page shows them
EDIT_SECONDS = 2.0  # at shutdown, to wait for an edit in progress
PATIENCE_SECONDS = 0.5  # to wait for rendering before answering: enough for most plans

Stamp = tuple[int, int] | None  # size and date of a file; None if it is gone


@dataclass(frozen=True)
class _OpenPlan:
    """An editor, and the stamp of its plan file when it was last read or written."""

    editor: Editor
    stamp: Stamp

    @property
    def is_outdated(self) -> bool:
        """True if the file was changed outside and there are no unsaved edits to lose."""
        state = self.editor.state
        return not state.dirty and _stamp(state.file) not in (None, self.stamp)

    @property
    def may_be_closed(self) -> bool:
        """True if the plan is saved and not being rendered."""
        return not self.editor.state.dirty and self.editor.audio_facts["state"] != "rendering"

    def close(self) -> None:
        self.editor.renderer.sources.close()


class OpenPlans:
    """The open plans of a workspace. Safe to use from several threads."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._plans = workspace.plans
        self._open: OrderedDict[str, _OpenPlan] = OrderedDict()  # most recently used last
        self._lock = threading.Lock()
        self._opening = dict[str, threading.Lock]()  # by plan: one thread opens it, others wait
        workspace.on_close.append(self.close)

    def get(self, plan_id: str) -> Editor:
        """Return the editor of a plan.

        The plan is opened if necessary, and again if its file was changed outside; its audio is
        then rendered in the background.

        Raises
        ------
        HTTPException
            404 if there is no such plan.
        PlanError
            If it cannot be opened.
        """
        file = self._plans.get(plan_id)
        if file is None:
            raise HTTPException(
                404, "there is no such plan; it may have been moved or removed: see the plans' list"
            )
        with self._lock:
            opening = self._opening.setdefault(plan_id, threading.Lock())
        with opening:
            with self._lock:
                editor = self._find_open(plan_id)
            if editor:
                return editor
            stamp = _stamp(file)
            editor = self._open_file(file)
            with self._lock:
                self._open[plan_id] = _OpenPlan(editor, stamp)
                self._close_unused()
        self._render(editor)
        return editor

    def get_for_page(self, plan_id: str) -> Editor:
        """Return as `get`, but retry earlier failures: missing sources and failed rendering."""
        editor = self.get(plan_id)
        editor.check_failed_sources()
        if editor.reset_failure():
            self._render(editor)
        return editor

    def get_with_audio(self, plan_id: str, revision: int) -> Editor:
        """Return the editor that holds the audio of a revision.

        The plan may since have been saved under another name. Raises as `get`.
        """
        with self._lock:
            editors = [plan.editor for plan in self._open.values()]
        for editor in editors:
            if editor.has_audio_of(revision):
                return editor
        return self.get(plan_id)

    def _find_open(self, plan_id: str) -> Editor | None:
        """Return the editor if the plan is open, and mark it as used; close it if outdated."""
        plan = self._open.get(plan_id)
        if plan is None:
            return None
        if plan.is_outdated:
            del self._open[plan_id]
            plan.close()
            return None
        self._open.move_to_end(plan_id)
        return plan.editor

    def _open_file(self, file: PlanFile) -> Editor:
        plan = Plan.load(file.path)
        workspace = self._workspace
        roots = workspace.roots if is_own(plan, workspace.database) else plan.roots
        sources = PlanSources(
            roots, sample_rate=plan.sample_rate, channels=plan.channels, cache=workspace.decoded
        )
        crossfade = CrossfadeOptions.of(plan.settings)
        renderer = Renderer(sources, crossfade, cache_folder("tapes"))
        return Editor(file, History(plan), renderer, Publisher(workspace.events.publish))

    def _render(self, editor: Editor) -> None:
        """Render in the background, and wait a moment for short plans."""
        rendering = self._workspace.executor.submit(editor.render, self._workspace.check_open)
        wait([rendering], PATIENCE_SECONDS)

    def _close_unused(self) -> None:
        """Close the least recently used plans that may be closed."""
        for plan_id, plan in list(self._open.items())[:-KEPT]:
            if plan.may_be_closed:
                del self._open[plan_id]
                plan.close()

    def save(self, editor: Editor, name: str | None) -> PlanFile:
        """Write an editor's plan to a new file, and continue editing under its name.

        Raises
        ------
        ParameterError
            As `Plans.save`.
        """
        with editor.lock:
            state = editor.state
            if name:
                saved = self._plans.save(state.plan, name)
            else:
                saved = self._plans.save_edited(state.plan, state.file)
            editor.saved_as(saved, state.plan)
            with self._lock:
                self._open.pop(state.file.id, None)
                self._open[saved.id] = _OpenPlan(editor, _stamp(saved))
        return saved

    def close(self) -> None:
        """Close all plans; write unsaved edits to new files and report them in the terminal."""
        with self._lock:
            plans = list(self._open.values())
        for plan in plans:
            lock = plan.editor.lock
            is_locked = lock.acquire(timeout=EDIT_SECONDS)  # False if an edit is still in progress
            try:
                self._save_unsaved(plan.editor)
            finally:
                if is_locked:
                    lock.release()
        for plan in plans:
            plan.close()

    def _save_unsaved(self, editor: Editor) -> None:
        """Write unsaved edits to the folder of plans, or to any other writable folder."""
        state = editor.state
        if not state.dirty:
            return
        name = state.file.name
        for folder in (self._plans.folder, Path.cwd(), Path(tempfile.gettempdir())):
            try:
                saved = Plans(folder).save(state.plan, f"{name}-unsaved")
            except (DemiurgeError, *SYSTEM_ERRORS) as error:
                _print(f"{name}: {error_message(error)}")
            else:
                _print(f"{name} had unsaved edits: they are in {saved.path}")
                return
        _print(f"{name} had unsaved edits, which are lost")


def _print(message: str) -> None:
    with suppress(OSError):  # the terminal may be closed
        click.echo(message, err=True)


def _stamp(file: PlanFile) -> Stamp:
    """Return size and date of a plan's file, to detect changes; None if it is gone."""
    try:
        status = file.path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns
