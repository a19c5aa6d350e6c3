"""The plans that are open: each opened once, however many look at it, and none closed with edits
that are not saved.
"""

import tempfile
import threading
from concurrent.futures import wait
from contextlib import suppress
from pathlib import Path

import click
from starlette.exceptions import HTTPException

from demiurge.plans.locate import is_own
from demiurge.web.plans import PlanFile, Plans
from demiurge.web.timeline.editor import Editor
from demiurge.web.timeline.playable import Corpus
from demiurge.web.workspace import Workspace
from files.cache import cache_folder
from files.errors import DemiurgeError
from playback.plan import Plan

KEPT = 8  # plans that stay open when nobody looks at them
EDIT_SECONDS = 2.0  # that an edit may still take when the server ends
PATIENCE_SECONDS = 0.5  # in which most plans are rendered: whoever opens one is told only then


class Editors:
    """The open plans of a workspace. Safe to be used from several threads."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._plans = workspace.plans
        self._open: dict[str, Editor] = {}  # by plan, the one used last at the end
        self._stamps: dict[
            str, tuple[int, int] | None
        ] = {}  # by plan: size and date of its file when it was opened
        # by plan: one opens it, others wait for that
        self._lock = threading.Lock()
        self._turns = dict[str, threading.Lock]()
        workspace.on_close.append(self.close)

    def get(self, plan_id: str) -> Editor:
        """The editor of a plan, opened if need be, and again if its file was edited by hand; its
        sound is then made in the background.

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
                404,
                "there is no such plan; it may have been moved or removed: see the list of plans",
            )
        with self._lock:
            turn = self._turns.setdefault(plan_id, threading.Lock())
        with turn:
            with self._lock:
                if editor := self._present(plan_id):
                    return editor
            stamp = _stamp(file)
            editor = self._make(file)
            with self._lock:
                self._open[plan_id] = editor
                self._stamps[plan_id] = stamp
                self._close_some()
            rendering = self._workspace.executor.submit(editor.render, self._workspace.check_open)
        wait([rendering], PATIENCE_SECONDS)
        return editor

    def visit(self, plan_id: str) -> Editor:
        """As `get`, for a page that is opened: what could not be heard is tried again. Raises as
        `get` and `Editor.edit`.
        """
        editor = self.get(plan_id)
        editor.look_again()
        if editor.begin_again():
            wait(
                [self._workspace.executor.submit(editor.render, self._workspace.check_open)],
                PATIENCE_SECONDS,
            )
        return editor

    def hearing(self, plan_id: str, revision: int) -> Editor:
        """The editor that made a revision: it may have been saved under another name meanwhile.
        Raises as `get`.
        """
        with self._lock:
            found = [editor for editor in self._open.values() if editor.has_recording(revision)]
        return found[0] if found else self.get(plan_id)

    def _present(self, plan_id: str) -> Editor | None:
        """The editor that is open, if there is one and it has what is in the plan's file, or edits
        that are not saved.
        """
        editor = self._open.pop(plan_id, None)
        if editor is None:
            return None
        if editor.state.dirty or _stamp(editor.state.file) in (None, self._stamps[plan_id]):
            self._open[plan_id] = editor
            return editor
        editor.corpus.close()
        return None

    def _make(self, file: PlanFile) -> Editor:
        plan = Plan.load(file.path)
        workspace = self._workspace
        root = workspace.root if is_own(plan, workspace.database) else Path(plan.database["root"])
        corpus = Corpus(
            root, sample_rate=plan.sample_rate, channels=plan.channels, cache=workspace.decoded
        )
        return Editor(
            file, plan, corpus, tapes=cache_folder("tapes"), publish=workspace.events.publish
        )

    def _close_some(self) -> None:
        """Close what was not used for longest, if it is saved and its sound is made."""
        for plan_id, editor in list(self._open.items())[:-KEPT]:
            if not editor.state.dirty and editor.audio["state"] != "rendering":
                del self._open[plan_id]
                editor.corpus.close()

    def save(self, editor: Editor, name: str | None) -> PlanFile:
        """Write the plan of an editor to a new file, under which it goes on.

        Raises
        ------
        ParameterError
            As `Plans.save`.
        """
        with editor.lock:
            state = editor.state
            saved = (
                self._plans.save(state.plan, name)
                if name
                else self._plans.save_edited(state.plan, state.file)
            )
            editor.saved_as(saved, state.plan)
            with self._lock:
                self._open.pop(state.file.id, None)
                self._open[saved.id] = editor
                self._stamps[saved.id] = _stamp(saved)
        return saved

    def close(self) -> None:
        """Before the server ends: write every plan with unsaved edits to a file of its own, and say
        so in the terminal.
        """
        with self._lock:
            editors = list(self._open.values())
        for editor in editors:
            is_still = editor.lock.acquire(
                timeout=EDIT_SECONDS
            )  # else an edit goes on, and is not waited for
            try:
                self._keep_edits(editor)
            finally:
                if is_still:
                    editor.lock.release()
        for editor in editors:
            editor.corpus.close()

    def _keep_edits(self, editor: Editor) -> None:
        """Where plans are kept, or where anything can be written."""
        state = editor.state
        if not state.dirty:
            return
        for folder in (self._plans.folder, Path.cwd(), Path(tempfile.gettempdir())):
            try:
                saved = Plans(folder).save(state.plan, f"{state.file.name}-unsaved")
            except DemiurgeError as error:
                _say(f"{state.file.name}: {error}")
            else:
                _say(f"{state.file.name} had unsaved edits: they are in {saved.path}")
                return
        _say(f"{state.file.name} had unsaved edits, which are lost")


def _say(message: str) -> None:
    with suppress(OSError):  # the terminal may be closed
        click.echo(message, err=True)


def _stamp(file: PlanFile) -> tuple[int, int] | None:
    """Tells whether somebody has written to a plan's file since; None if it is gone."""
    try:
        status = file.path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns
