"""Publish a plan's revision, and the progress of its rendering, to the pages."""

from collections.abc import Callable
from typing import Any

from demiurge.web.throttle import Throttle
from demiurge.web.timeline.rendered_audio import RenderedAudio

PROGRESS_SECONDS = 0.1  # between reports of progress


class Publisher:
    """Publishes events "plan", and holds the progress of the first rendering."""

    def __init__(self, publish: Callable[[str, dict[str, Any]], None]) -> None:
        self._publish = publish
        self._throttle = Throttle(PROGRESS_SECONDS)
        self._done = 0.0
        self.error: str | None = None  # why the first rendering failed

    def restart(self) -> None:
        """Forget the progress and error of the first rendering."""
        self.error = None
        self._done = 0.0

    def audio_facts(self, audio: RenderedAudio | None) -> dict[str, Any]:
        """Describe the audio of a revision for JSON; None while it is not rendered."""
        if audio is not None:
            return {"state": "ready", "done": 1.0, "error": None, "gain_db": audio.gain_db}
        state = "failed" if self.error else "rendering"
        return {"state": state, "done": self._done, "error": self.error, "gain_db": 0.0}

    def publish(self, plan_id: str, revision: int, audio: RenderedAudio | None) -> None:
        """Tell every page about a revision."""
        facts = {"id": plan_id, "revision": revision, "audio": self.audio_facts(audio)}
        self._publish("plan", facts)

    def publish_progress(self, plan_id: str, revision: int, done: float) -> None:
        """Tell every page, but not too often, how much of the first rendering is done, 0 to 1."""
        if self._throttle.is_due():
            self._done = done
            self.publish(plan_id, revision, None)
