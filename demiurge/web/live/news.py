"""What has changed in a session since a page was told last."""

from typing import Any

from demiurge.live.controls import Controls
from demiurge.live.live_session import LiveSession
from demiurge.live.status import Status
from demiurge.web.live.messages import finite

FIRST_STEPS = 32  # that a page is told of when it opens
STEP_FACTS = ("step", "voice", "unit", "position")


class News:
    """The changes that one page has not been told of."""

    def __init__(self, session: LiveSession) -> None:
        self._session = session
        self._told: dict[str, Any] = {}
        self._step = max(0, session.status().step - FIRST_STEPS)

    def take(self) -> dict[str, Any]:
        """Return what has changed since the last call, for JSON; empty if nothing has.

        `status` is that of `Status.to_dict`, `steps` lists the new steps (number, voice, unit,
        position), `knobs` is that of `Knobs.to_dict`, `scenes` lists the numbers of saved scenes,
        and `scene` is the one that the knobs are equal to, or null.
        """
        news: dict[str, Any] = {}
        if (status := self._changed("status", self._session.status())) is not None:
            news["status"] = finite(status.to_dict())
        if steps := self._session.steps_since(self._step):
            self._step = steps[-1].step
            news["steps"] = [step_facts(step) for step in steps]
        controls = self._session.controls
        knobs = self._changed("knobs", controls.knobs)
        scenes = self._changed("scenes", controls.scenes)
        if knobs is not None:
            news["knobs"] = knobs.to_dict()
        if knobs is not None or scenes is not None:
            news |= scene_facts(controls)
        return news

    def _changed(self, name: str, value: Any) -> Any:
        """Return a value if it is not the last one; None if it is."""
        if name in self._told and self._told[name] == value:
            return None
        self._told[name] = value
        return value


def step_facts(status: Status) -> list[int]:
    return [getattr(status, name) for name in STEP_FACTS]


def scene_facts(controls: Controls) -> dict[str, Any]:
    scenes = controls.scenes
    same = [number for number, knobs in scenes.items() if knobs == controls.knobs]
    return {"scenes": sorted(scenes), "scene": min(same, default=None)}
