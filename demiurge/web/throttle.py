"""A limit on how often progress is reported."""

import time


class Throttle:
    """Decides when another report is due, at most once in so many seconds."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._next = 0.0

    def is_due(self) -> bool:
        """Return whether a report is due; if so, start waiting for the next one."""
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + self._seconds
        return True

    def restart(self) -> None:
        """Start waiting again, after a report that was sent anyway."""
        self._next = time.monotonic() + self._seconds
