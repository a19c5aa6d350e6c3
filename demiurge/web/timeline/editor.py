"""One open plan: its history, and its sound, which follows every edit.

What is heard is always what stitching the plan anew would give, bit for bit; only what changed is
stitched.
"""

import itertools
import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from starlette.exceptions import HTTPException

from demiurge.web.answers import UNEXPECTED
from demiurge.web.plans import PlanFile
from demiurge.web.timeline.playable import Corpus
from demiurge.web.timeline.tape import SILENCE, Piece, Recording, Tape
from files.errors import AudioError, DemiurgeError, ParameterError, PlanError
from playback.diff import Change, find_change
from playback.options import CrossfadeOptions
from playback.plan import Plan
from playback.stitch import stitch

# of one history: plans, and steps in all of them, of 144 bytes each
MOST_VERSIONS = 200
MOST_STEPS = 1_000_000
TOLD_SECONDS = 0.1  # between words of progress
RECENT = 4  # different recordings that are kept for whoever has not heard of the newest yet

log = logging.getLogger(__name__)
_revisions = itertools.count(
    time.time_ns() // 1_000_000
)  # never twice the same, not even after a restart


@dataclass(frozen=True)
class State:
    """An editor at one moment.

    `recording` is None until the plan has been rendered; `undo` and `redo` say what would be undone
    and done again, if anything."""

    file: PlanFile
    revision: int
    plan: Plan
    recording: Recording | None
    dirty: bool
    undo: str | None
    redo: str | None


@dataclass(frozen=True)
class Rerendering:
    """What an edit changed of the sound, and how long it took to make that anew; None: it is being
    rendered anyway.
    """

    change: Change | None
    milliseconds: float


class Editor:
    """Edits are made one after another; each names the revision that it is meant for. Reading
    `state` waits for nobody.
    """

    def __init__(
        self,
        file: PlanFile,
        plan: Plan,
        corpus: Corpus,
        *,
        tapes: Path,
        publish: Callable[[str, dict[str, Any]], None],
    ) -> None:
        """Open a plan that plays sources of `corpus`; its sound is kept in the folder `tapes`, and
        told of as events "plan".

        Raises
        ------
        PlanError
            If its settings are wrong.
        """
        self.corpus = corpus
        self._tapes = tapes
        self._publish = publish
        self.crossfade = CrossfadeOptions.of(plan.settings)
        self.lock = threading.RLock()
        self.error: str | None = None
        self.done = 0.0  # of the first rendering
        self._versions = [plan]
        self._edits = ["opened"]
        self._at = 0
        self._saved = plan
        self._sounding: _Sounding | None = None
        self._recent = dict[int, Recording]()
        self.state = State(file, next(_revisions), plan, None, False, None, None)

    def render(self, check_open: Callable[[], None]) -> None:
        """Make the plan's sound for the first time; `check_open` may raise a `DemiurgeError` to
        give it up.
        """
        plan = self.state.plan
        try:
            render_options = self._record(plan, check_open)
            with self.lock:
                if self.state.plan is not plan:  # it was edited meanwhile
                    render_options, _ = self._follow(self.state.plan, render_options)
                self._renew(self.state.revision, render_options)
        except DemiurgeError as error:
            self.error = str(error)
        except Exception:
            self.error = UNEXPECTED
            log.exception("rendering %s", self.state.file.path)
        self._tell()

    def begin_again(self) -> bool:
        """Whether the first rendering has failed and may be tried again: whoever asks must do it."""
        with self.lock:
            if self.error is None:
                return False
            self.error = None
            self.done = 0.0
            self.corpus.look_at_problems(self.state.plan)
            return True

    def _record(self, plan: Plan, check_open: Callable[[], None]) -> "_Sounding":
        tape = Tape(plan.channels, self._tapes)
        told = 0.0

        def tell(done: int) -> None:
            nonlocal told
            check_open()
            if time.monotonic() > told + TOLD_SECONDS:
                told = time.monotonic()
                self.done = done / plan.n_samples
                self._tell()

        self.corpus.look(plan, lambda *_: check_open())
        heard = self.corpus.audible(plan)
        if heard is None:
            return _Sounding(None, Recording(tape, [Piece(SILENCE, plan.n_samples)]))
        blocks = _counted(stitch(heard, self.corpus, crossfade=self.crossfade), tell)
        return _Sounding(heard, Recording(tape, [tape.append(blocks)]))

    def edit(self, revision: int, change: Callable[[Plan], Plan], what: str) -> Rerendering:
        """Change the plan; `what` says how, for people.

        If it is edited while `change` works, this is refused.

        Raises
        ------
        HTTPException
            409 if the plan has another revision by now.
        DemiurgeError
            If it cannot be changed like that: then it stays as it is, and so does its sound.
        """
        with self.lock:
            self.check_revision(revision)
            before = self.state.plan
        plan = change(before)
        with self.lock:
            self.check_revision(revision)
            if plan == before:
                return Rerendering(Change(0, 0, 0), 0.0)
            versions = [*self._versions[: self._at + 1], plan]
            edits = [*self._edits[: self._at + 1], what]
            while len(versions) > 2 and (
                len(versions) > MOST_VERSIONS or sum(len(v.steps) for v in versions) > MOST_STEPS
            ):
                del versions[0], edits[0]
            return self._go_to(versions, edits, len(versions) - 1)

    def undo(self, revision: int) -> Rerendering:
        """Take the last edit back; raises as `edit`."""
        return self._move(revision, -1, "nothing was edited that could be undone")

    def redo(self, revision: int) -> Rerendering:
        """Do again what was undone last; raises as `edit`."""
        return self._move(revision, 1, "nothing was undone that could be done again")

    def _move(self, revision: int, by: int, refusal: str) -> Rerendering:
        with self.lock:
            self.check_revision(revision)
            if not 0 <= self._at + by < len(self._versions):
                raise ParameterError(f"{refusal}; edit something first")
            return self._go_to(self._versions, self._edits, self._at + by)

    def _go_to(self, versions: list[Plan], edits: list[str], at: int) -> Rerendering:
        """Play another plan from now on, once its sound is there."""
        started = time.perf_counter()
        render_options = self._sounding
        change = None
        if render_options is not None:
            render_options, change = self._follow(versions[at], render_options)
        self._versions = versions
        self._edits = edits
        self._at = at
        self._renew(next(_revisions), render_options)
        self._tell()
        return Rerendering(change, 1000 * (time.perf_counter() - started))

    def look_again(self) -> None:
        """Have sources heard that were put back since they were looked at."""
        with self.lock:
            if self._sounding is None or not self.corpus.look_at_problems(self.state.plan):
                return
            render_options, _ = self._follow(self.state.plan, self._sounding)
            if render_options.recording is self._sounding.recording:
                return
            self._renew(next(_revisions), render_options)
        self._tell()

    def _follow(self, plan: Plan, render_options: "_Sounding") -> tuple["_Sounding", Change]:
        """The sound of another plan, made from what there is."""
        try:
            return self._splice(plan, render_options)
        except (PlanError, AudioError):
            before = self.corpus.audible(plan)
            self.corpus.look(
                plan, again=True
            )  # a source has vanished, or is another, since it was looked at
            if self.corpus.audible(plan) == before:
                raise
            return self._splice(plan, render_options)

    def _splice(self, plan: Plan, render_options: "_Sounding") -> tuple["_Sounding", Change]:
        heard = self.corpus.audible(plan)
        recording = render_options.recording
        change = Change(0, recording.n_samples, plan.n_samples)
        if heard is None and render_options.heard is None and plan.n_samples == recording.n_samples:
            return render_options, Change(0, 0, 0)
        if heard is None:
            return (
                _Sounding(None, recording.spliced(change, Piece(SILENCE, plan.n_samples))),
                change,
            )
        if render_options.heard is not None:
            found = find_change(render_options.heard, heard, self.crossfade)
            if found is None:
                return _Sounding(heard, recording), Change(0, 0, 0)
            change = found
        blocks = stitch(
            heard, self.corpus, crossfade=self.crossfade, start=change.start, stop=change.new_stop
        )
        return _Sounding(heard, recording.spliced(change, recording.tape.append(blocks))), change

    def preview(self, plan: Plan, start: int, stop: int) -> np.ndarray:
        """What another plan would sound like from `start` to `stop`, at the level of this one,
        float32, (samples, channels).
        """
        heard = self.corpus.audible(plan)
        start = max(start, 0)
        stop = min(stop, plan.n_samples)
        if heard is None:
            return np.zeros((stop - start, plan.channels), np.float32)
        samples = np.concatenate(
            [*stitch(heard, self.corpus, crossfade=self.crossfade, start=start, stop=stop)]
        )
        recording = self.state.recording
        return samples * min(
            recording.gain if recording else 1.0,
            1 / max(float(np.abs(samples).max(initial=0)), 1.0),
        )

    def recording(self, revision: int | None) -> Recording | None:
        """The sound of a revision, by default the present one; None until it has been rendered.

        Raises
        ------
        HTTPException
            409 if it is a revision of long ago.
        """
        if revision is None:
            return self.state.recording
        if found := self._recent.get(revision):
            return found
        self.check_revision(revision)
        return self.state.recording

    def has_recording(self, revision: int) -> bool:
        """Whether the sound of a revision can be had here."""
        return revision in self._recent

    def saved_as(self, file: PlanFile, plan: Plan) -> None:
        """The plan was saved, and goes on under that name."""
        with self.lock:
            self._saved = plan
            self.state = replace(self.state, file=file, dirty=self.state.plan is not plan)

    def check_revision(self, revision: int) -> None:
        """Raise the HTTPException of `edit`."""
        if revision != self.state.revision:
            raise HTTPException(
                409,
                f"the plan has been edited elsewhere: it is at revision {self.state.revision};"
                " reload it",
            )

    @property
    def audio(self) -> dict[str, Any]:
        """How far the sound is, for the page."""
        recording = self.state.recording
        facts: dict[str, Any] = {"state": "ready", "done": 1.0, "error": None, "gain_db": 0.0}
        if recording is not None:
            return facts | {"gain_db": recording.gain_db}
        return facts | {
            "state": "failed" if self.error else "rendering",
            "done": self.done,
            "error": self.error,
        }

    def _renew(self, revision: int, render_options: "_Sounding | None") -> None:
        """The next state, and the recordings of the last few."""
        plan = self._versions[self._at]
        at = self._at
        redo = self._edits[at + 1] if at + 1 < len(self._versions) else None
        undo = self._edits[at] if at else None
        recording = render_options.recording if render_options else None
        if recording is not None:
            recent = {**self._recent, revision: recording}
            kept = list(dict.fromkeys(reversed(recent.values())))[:RECENT]
            self._recent = {number: one for number, one in recent.items() if one in kept}
        self._sounding = render_options
        self.state = State(
            self.state.file, revision, plan, recording, plan is not self._saved, undo, redo
        )

    def _tell(self) -> None:
        state = self.state
        self._publish(
            "plan", {"id": state.file.id, "revision": state.revision, "audio": self.audio}
        )


@dataclass(frozen=True)
class _Sounding:
    """What can be heard of a plan, None if nothing, and its sound."""

    heard: Plan | None
    recording: Recording


def _counted(blocks: Iterator[np.ndarray], tell: Callable[[int], None]) -> Iterator[np.ndarray]:
    done = 0
    for block in blocks:
        done += len(block)
        yield block
        tell(done)
