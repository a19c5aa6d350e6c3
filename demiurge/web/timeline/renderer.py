"""Render a plan's audio, and after an edit only the samples that changed.

The result is always what stitching the whole plan would give, bit for bit.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from demiurge.web.timeline.rendered_audio import RenderedAudio
from demiurge.web.timeline.sources import PlanSources
from demiurge.web.timeline.tape import SILENCE, Piece, Tape
from files.errors import AudioError, PlanError
from playback.diff import Change, find_change
from playback.options import CrossfadeOptions
from playback.plan import Plan
from playback.playable import keep_steps
from playback.stitch import stitch

NO_CHANGE = Change(0, 0, 0)


@dataclass(frozen=True)
class RenderedPlan:
    """Audio, and the plan it was rendered from.

    `playable` lacks the steps that cannot be played, or are not to be; it is None if none is left.
    """

    playable: Plan | None
    audio: RenderedAudio


class Renderer:
    """Renders the revisions of a plan, which all have the same crossfade.

    `voices` are those that are heard, None for all.
    """

    def __init__(self, sources: PlanSources, crossfade: CrossfadeOptions, tapes: Path) -> None:
        """Use `tapes` as the folder of rendered audio."""
        self.sources = sources
        self._crossfade = crossfade
        self._tapes = tapes

    def render(
        self,
        plan: Plan,
        progress: Callable[[int], None],
        voices: Collection[int] | None = None,
    ) -> RenderedPlan:
        """Render a plan; `progress` is called with the samples done, and may raise to stop."""
        tape = Tape(plan.channels, self._tapes)
        self.sources.check(plan, lambda *_: progress(0))
        playable = self._playable(plan, voices)
        if playable is None:
            return RenderedPlan(None, RenderedAudio(tape, [Piece(SILENCE, plan.n_samples)]))
        blocks = _counted(self._stitch(playable, 0, plan.n_samples), progress)
        return RenderedPlan(playable, RenderedAudio(tape, [tape.append(blocks)]))

    def update(
        self, before: RenderedPlan, plan: Plan, voices: Collection[int] | None = None
    ) -> tuple[RenderedPlan, Change]:
        """Render another version of a plan; return it, and the samples that changed."""
        try:
            return self._splice(before, plan, voices)
        except (PlanError, AudioError):
            # a source was removed or changed since it was checked
            playable = self.sources.playable(plan)
            self.sources.check(plan, again=True)
            if self.sources.playable(plan) == playable:
                raise
            return self._splice(before, plan, voices)

    def _playable(self, plan: Plan, voices: Collection[int] | None) -> Plan | None:
        """Return the plan with the steps that can be played and are heard; None if none is left."""
        playable = self.sources.playable(plan)
        if playable is None or voices is None:
            return playable
        numbers = [n for n, step in enumerate(playable.steps) if step.voice in voices]
        return keep_steps(playable, numbers) if numbers else None

    def _splice(
        self, before: RenderedPlan, plan: Plan, voices: Collection[int] | None
    ) -> tuple[RenderedPlan, Change]:
        playable = self._playable(plan, voices)
        change = self._find_change(before, playable, plan)
        if change == NO_CHANGE:
            return RenderedPlan(playable, before.audio), change
        if playable is None:
            piece = Piece(SILENCE, plan.n_samples)
        else:
            piece = before.audio.tape.append(self._stitch(playable, change.start, change.new_stop))
        return RenderedPlan(playable, before.audio.spliced(change, piece).condensed()), change

    def _find_change(self, before: RenderedPlan, playable: Plan | None, plan: Plan) -> Change:
        if before.playable is not None and playable is not None:
            return find_change(before.playable, playable, self._crossfade) or NO_CHANGE
        was_silent = before.playable is None and playable is None
        if was_silent and plan.n_samples == before.audio.n_samples:
            return NO_CHANGE
        return Change(0, before.audio.n_samples, plan.n_samples)

    def preview(
        self, plan: Plan, start: int, stop: int, voices: Collection[int] | None = None
    ) -> np.ndarray:
        """Return a part of a plan's audio, float32, (samples, channels); it is not kept."""
        playable = self._playable(plan, voices)
        start = max(start, 0)
        stop = min(stop, plan.n_samples)
        if playable is None:
            return np.zeros((stop - start, plan.channels), np.float32)
        return np.concatenate([*self._stitch(playable, start, stop)])

    def _stitch(self, playable: Plan, start: int, stop: int) -> Iterator[np.ndarray]:
        return stitch(playable, self.sources, crossfade=self._crossfade, start=start, stop=stop)


def _counted(blocks: Iterator[np.ndarray], progress: Callable[[int], None]) -> Iterator[np.ndarray]:
    n_done = 0
    for block in blocks:
        n_done += len(block)
        yield block
        progress(n_done)
