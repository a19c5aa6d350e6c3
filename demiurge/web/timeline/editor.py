"""An open plan: edit, undo and redo, and keep its audio up to date."""

import itertools
import logging
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from starlette.exceptions import HTTPException

from demiurge.web.answers import UNEXPECTED
from demiurge.web.plans import PlanFile
from demiurge.web.timeline.history import History
from demiurge.web.timeline.mixes import Mixes, Voices
from demiurge.web.timeline.publisher import Publisher
from demiurge.web.timeline.recent_audio import RecentAudio
from demiurge.web.timeline.rendered_audio import RenderedAudio
from demiurge.web.timeline.renderer import NO_CHANGE, RenderedPlan, Renderer
from files.errors import DemiurgeError
from files.system import SYSTEM_ERRORS, error_message
from playback.diff import Change
from playback.plan import Plan

log = logging.getLogger(__name__)
# counted from the time in ms, so that numbers are unique even after a restart
_revisions = itertools.count(time.time_ns() // 1_000_000)


@dataclass(frozen=True)
class State:
    """An open plan at one revision.

    `rendered` is None until the audio is ready; `undo` and `redo` describe the edits that can be
    undone and redone, if any.
    """

    file: PlanFile
    revision: int
    plan: Plan
    rendered: RenderedPlan | None
    dirty: bool
    undo: str | None
    redo: str | None

    @property
    def audio(self) -> RenderedAudio | None:
        return self.rendered.audio if self.rendered else None


@dataclass(frozen=True)
class Edited:
    """The result of an edit: states before and after, changed samples, and time taken.

    `change` is None while the whole audio is still being rendered.
    """

    before: State
    after: State
    change: Change | None
    milliseconds: float


class Editor:
    """One open plan. Edits wait for each other; reading `state` never waits.

    Each edit names the revision it applies to, and is refused if the plan has a newer one.
    """

    def __init__(
        self, file: PlanFile, history: History, renderer: Renderer, publisher: Publisher
    ) -> None:
        self.renderer = renderer
        self.publisher = publisher
        self.lock = threading.RLock()
        self._history = history
        self._recent = RecentAudio()
        self._mixes = Mixes(renderer)
        self.state = State(file, next(_revisions), history.plan, None, False, None, None)

    @property
    def audio_facts(self) -> dict[str, Any]:
        """The state of the audio, for JSON."""
        return self.publisher.audio_facts(self.state.audio)

    def render(self, check_open: Callable[[], None]) -> None:
        """Render the plan for the first time; `check_open` may raise a `DemiurgeError` to stop."""
        plan = self.state.plan

        def progress(n_done: int) -> None:
            check_open()
            state = self.state
            done = n_done / plan.n_samples
            self.publisher.publish_progress(state.file.id, state.revision, done)

        try:
            rendered = self.renderer.render(plan, progress)
            with self.lock:
                if self.state.plan is not plan:  # it was edited meanwhile
                    rendered, _ = self.renderer.update(rendered, self.state.plan)
                self._set_state(self.state.revision, rendered)
        except (DemiurgeError, *SYSTEM_ERRORS) as error:
            self.publisher.error = error_message(error)
        except Exception:
            self.publisher.error = UNEXPECTED
            log.exception("rendering %s", self.state.file.path)
        self._publish()

    def reset_failure(self) -> bool:
        """Return whether the first rendering failed; if so, `render` may be called again."""
        with self.lock:
            if self.publisher.error is None:
                return False
            self.publisher.restart()
            self.renderer.sources.check_failed(self.state.plan)
            return True

    def edit(self, revision: int, change: Callable[[Plan], Plan], label: str) -> Edited:
        """Change the plan; `label` names the edit for people.

        `change` runs without the lock, so another edit may come first; then this one is refused.

        Raises
        ------
        HTTPException
            409 if the plan has another revision by now.
        DemiurgeError
            If the edit is not possible; then plan and audio do not change.
        """
        self.check_revision(revision)
        before = self.state.plan
        plan = change(before)
        with self.lock:
            self.check_revision(revision)
            if plan == before:
                return Edited(self.state, self.state, NO_CHANGE, 0.0)
            return self._go_to(plan, lambda: self._history.add(plan, label))

    def undo(self, revision: int) -> Edited:
        """Undo the last edit; raises as `edit`."""
        return self._move(revision, -1)

    def redo(self, revision: int) -> Edited:
        """Redo the edit that was undone last; raises as `edit`."""
        return self._move(revision, 1)

    def _move(self, revision: int, offset: int) -> Edited:
        with self.lock:
            self.check_revision(revision)
            plan = self._history.neighbour(offset)
            return self._go_to(plan, lambda: self._history.move(offset))

    def _go_to(self, plan: Plan, enter_history: Callable[[], None]) -> Edited:
        """Render another version of the plan, then make it the current one."""
        started = time.perf_counter()
        before = self.state
        rendered = before.rendered
        change = None
        if rendered is not None:
            rendered, change = self.renderer.update(rendered, plan)
        enter_history()
        self._set_state(next(_revisions), rendered)
        self._publish()
        milliseconds = 1000 * (time.perf_counter() - started)
        return Edited(before, self.state, change, milliseconds)

    def check_failed_sources(self) -> None:
        """Render steps again whose sources were put back since they were checked."""
        with self.lock:
            rendered = self.state.rendered
            if rendered is None or not self.renderer.sources.check_failed(self.state.plan):
                return
            updated, _ = self.renderer.update(rendered, self.state.plan)
            if updated.audio is rendered.audio:
                return
            self._set_state(next(_revisions), updated)
        self._publish()

    def preview(
        self, plan: Plan, start: int, stop: int, voices: Collection[int] | None = None
    ) -> np.ndarray:
        """Render a part of another version at the level of this one, float32, (samples, channels).

        It is lowered further if it would exceed full scale. Without `voices` all are heard.
        """
        samples = self.renderer.preview(plan, start, stop, voices)
        audio = self.state.audio
        peak = float(np.abs(samples).max(initial=0))
        return samples * min(audio.gain if audio else 1.0, 1 / max(peak, 1.0))

    def audio_of(self, revision: int | None) -> RenderedAudio | None:
        """Return the audio of a revision, by default the current one; None until it is rendered.

        Raises
        ------
        HTTPException
            409 if the revision is too old.
        """
        if revision is None:
            return self.state.audio
        audio = self._recent.get(revision)
        if audio is None:
            self.check_revision(revision)
            audio = self.state.audio
        return audio

    def mix_of(
        self, revision: int | None, voices: Voices, check_open: Callable[[], None]
    ) -> RenderedAudio | None:
        """Return the audio of some voices of a revision; it is rendered if it is not kept.

        Raises as `audio_of`, and whatever `check_open` raises to stop. None until the whole is
        rendered.
        """
        state = self.state
        number = state.revision if revision is None else revision
        audio = self._recent.get(number, voices)
        if audio is not None:
            return audio
        _check_revision(state, number)
        if state.audio is None:
            return None
        audio = self._mixes.render(state.plan, voices, state.audio.gain_db, check_open)
        with self.lock:
            self._recent.add(number, audio, voices)
        return audio

    def has_audio_of(self, revision: int) -> bool:
        """Return whether audio of a revision is rendered and kept here."""
        return self._recent.has(revision)

    def saved_as(self, file: PlanFile, plan: Plan) -> None:
        """Note that a version was saved, and go on under the name of its file."""
        with self.lock:
            self._history.mark_saved(plan)
            self.state = replace(self.state, file=file, dirty=not self._history.is_saved)

    def check_revision(self, revision: int) -> None:
        """Raise the HTTPException of `edit` if the plan has another revision."""
        _check_revision(self.state, revision)

    def _set_state(self, revision: int, rendered: RenderedPlan | None) -> None:
        history = self._history
        if rendered is not None:
            self._recent.add(revision, rendered.audio)
        self.state = State(
            self.state.file,
            revision,
            history.plan,
            rendered,
            not history.is_saved,
            history.undo_label,
            history.redo_label,
        )

    def _publish(self) -> None:
        state = self.state
        self.publisher.publish(state.file.id, state.revision, state.audio)


def _check_revision(state: State, revision: int) -> None:
    if revision != state.revision:
        raise HTTPException(
            409,
            f"the plan has been edited elsewhere: it is at revision {state.revision}; reload it",
        )
