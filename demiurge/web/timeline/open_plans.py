"""The open plans: each is opened once for all pages, and none is closed with unsaved edits."""

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
from playback.options import CrossfadeOptions
from playback.plan import Plan

KEPT = 8  # plans that stay open when no page shows them
EDIT_SECONDS = 2.0  # that the end of the server waits for an edit
PATIENCE_SECONDS = 0.5  # in which most plans are rendered: a request waits for that

Stamp = tuple[int, int] | None  # size and date of a file; None if it is gone


@dataclass(frozen=True)
class _OpenPlan:
    """An editor, and what its plan file was like when it was read or written."""

    editor: Editor
    stamp: Stamp

    @property
    def is_outdated(self) -> bool:
        """Whether the file was changed by hand and there are no unsaved edits to lose."""
        state = self.editor.state
        return not state.dirty and _stamp(state.file) not in (None, self.stamp)

    @property
    def may_be_closed(self) -> bool:
        """Whether it is saved and not being rendered."""
        return not self.editor.state.dirty and self.editor.audio_facts["state"] != "rendering"

    def close(self) -> None:
        self.editor.renderer.sources.close()


class OpenPlans:
    """The open plans of a workspace. Safe to use from several threads."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._plans = workspace.plans
        self._open: OrderedDict[str, _OpenPlan] = OrderedDict()  # the last used one is at the end
        self._lock = threading.Lock()
        self._opening = dict[str, threading.Lock]()  # by plan: others wait while one opens it
        workspace.on_close.append(self.close)

    def get(self, plan_id: str) -> Editor:
        """Return the editor of a plan.

        The plan is opened if need be, again if its file was changed by hand, and its audio is then
        rendered in the background.

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
        """As `get`; also try again what failed before: missing sources and failed rendering."""
        editor = self.get(plan_id)
        editor.check_failed_sources()
        if editor.reset_failure():
            self._render(editor)
        return editor

    def get_with_audio(self, plan_id: str, revision: int) -> Editor:
        """Return the editor that has the audio of a revision.

        The plan may have been saved under another name since. Raises as `get`.
        """
        with self._lock:
            editors = [plan.editor for plan in self._open.values()]
        for editor in editors:
            if editor.has_audio_of(revision):
                return editor
        return self.get(plan_id)

    def _find_open(self, plan_id: str) -> Editor | None:
        """Return the editor if the plan is open, as the last used one; close it if outdated."""
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
        root = workspace.root if is_own(plan, workspace.database) else Path(plan.database["root"])
        sources = PlanSources(
            root, sample_rate=plan.sample_rate, channels=plan.channels, cache=workspace.decoded
        )
        crossfade = CrossfadeOptions.of(plan.settings)
        renderer = Renderer(sources, crossfade, cache_folder("tapes"))
        return Editor(file, History(plan), renderer, Publisher(workspace.events.publish))

    def _render(self, editor: Editor) -> None:
        """Render in the background, and wait a moment for short plans."""
        rendering = self._workspace.executor.submit(editor.render, self._workspace.check_open)
        wait([rendering], PATIENCE_SECONDS)

    def _close_unused(self) -> None:
        """Close the plans that were not used for longest, if they may be closed."""
        for plan_id, plan in list(self._open.items())[:-KEPT]:
            if plan.may_be_closed:
                del self._open[plan_id]
                plan.close()

    def save(self, editor: Editor, name: str | None) -> PlanFile:
        """Write an editor's plan to a new file, and go on under the name of that.

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
        """Write plans with unsaved edits to new files, say so in the terminal, and close all."""
        with self._lock:
            plans = list(self._open.values())
        for plan in plans:
            lock = plan.editor.lock
            is_locked = lock.acquire(timeout=EDIT_SECONDS)  # else an edit is still going on
            try:
                self._save_unsaved(plan.editor)
            finally:
                if is_locked:
                    lock.release()
        for plan in plans:
            plan.close()

    def _save_unsaved(self, editor: Editor) -> None:
        """Write unsaved edits to the folder of plans, or wherever else a file can be written."""
        state = editor.state
        if not state.dirty:
            return
        name = state.file.name
        for folder in (self._plans.folder, Path.cwd(), Path(tempfile.gettempdir())):
            try:
                saved = Plans(folder).save(state.plan, f"{name}-unsaved")
            except DemiurgeError as error:
                _print(f"{name}: {error}")
            else:
                _print(f"{name} had unsaved edits: they are in {saved.path}")
                return
        _print(f"{name} had unsaved edits, which are lost")


def _print(message: str) -> None:
    with suppress(OSError):  # the terminal may be closed
        click.echo(message, err=True)


def _stamp(file: PlanFile) -> Stamp:
    """Return what changes when somebody writes to a plan's file."""
    try:
        status = file.path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns
