"""A limit on how often progress is reported."""

import time


class Throttle:
    """Says at most every so many seconds that it is time for another report."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._next = 0.0

    def is_due(self) -> bool:
        """Return whether the last report is old enough; if so, the next one is due later."""
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + self._seconds
        return True

    def restart(self) -> None:
        """Count a report that was sent without asking."""
        self._next = time.monotonic() + self._seconds
