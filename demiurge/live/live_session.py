"""What OSC, the page and the terminal need of a session."""

from typing import Protocol

from demiurge.live.controls import Controls
from demiurge.live.status import Status


class LiveSession(Protocol):
    """A session that runs in other threads; all of it may be called from any thread."""

    controls: Controls

    def status(self) -> Status:
        """Return what is played now."""

    def steps_since(self, number: int) -> list[Status]:
        """Return the statuses of the steps chosen after a step, at most the last 256, in order."""
