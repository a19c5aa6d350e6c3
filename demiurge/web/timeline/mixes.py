"""Audio of some voices of an open plan: rendered when a page asks for it, kept up to date."""

import threading
from collections import OrderedDict
from collections.abc import Callable

from demiurge.web.timeline.rendered_audio import RenderedAudio
from demiurge.web.timeline.renderer import RenderedPlan, Renderer
from playback.plan import Plan

KEPT = 4

Voices = tuple[int, ...]  # rising


class Mixes:
    """The last mixes that were asked for. Safe to use from several threads."""

    def __init__(self, renderer: Renderer) -> None:
        self._renderer = renderer
        self._lock = threading.Lock()
        self._mixes: OrderedDict[Voices, RenderedPlan] = OrderedDict()  # most recently used last

    def render(
        self, plan: Plan, voices: Voices, gain_db: float, check_open: Callable[[], None]
    ) -> RenderedAudio:
        """Return the audio of some voices of a plan, as long as the plan.

        After an edit only what it changed is rendered. The voices are as loud as in the whole,
        whose gain is `gain_db`, or softer if they would exceed full scale. `check_open` may raise a
        `DemiurgeError` to stop.
        """
        with self._lock:
            before = self._mixes.pop(voices, None)
            if before is None:
                rendered = self._renderer.render(plan, lambda _: check_open(), voices)
            else:
                rendered, _ = self._renderer.update(before, plan, voices)
            self._mixes[voices] = rendered
            while len(self._mixes) > KEPT:
                self._mixes.popitem(last=False)
        return rendered.audio.at_most(gain_db)
