"""Bounds on what clients may ask of an OSC server."""

import heapq
import math
from collections import Counter
from collections.abc import Hashable, Iterator
from itertools import count
from typing import Generic, TypeVar

T = TypeVar("T")

WINDOW_SECONDS = 0.02
MOST_OF_A_SENDER = 64  # messages in a window
MOST_MESSAGES = 128  # of all senders
MOST_PACKETS = 160  # read in a window, be they dropped or not
MOST_ANSWERS = 4  # errors in a window
MOST_SCHEDULED = 1024
MOST_SECONDS_AHEAD = 60.0


class Budget:
    """Counts what came in a window of time. `now` is in seconds of any clock that never goes back.

    Attributes
    ----------
    dropped : int
        Messages that did not pass.
    """

    def __init__(self) -> None:
        self._ends = -math.inf
        self._messages: Counter[Hashable] = Counter()
        self._packets = 0
        self._answers = 0
        self.dropped = 0

    def pause(self, now: float) -> float:
        """Return for how many seconds nothing more should be read; 0 mostly."""
        self._begin(now)
        return self._ends - now if self._packets >= MOST_PACKETS else 0.0

    def pass_packet(self, now: float) -> None:
        """Count a packet that was read."""
        self._begin(now)
        self._packets += 1

    def has_room(self, sender: Hashable) -> bool:
        """Return whether a packet of this sender should be parsed; if not, it is dropped."""
        total = self._messages.total()
        has_room = self._messages[sender] < MOST_OF_A_SENDER and total < MOST_MESSAGES
        self.dropped += not has_room
        return has_room

    def pass_message(self, sender: Hashable) -> bool:
        """Return whether a message may be obeyed, and count it."""
        if not self.has_room(sender):
            return False
        self._messages[sender] += 1
        return True

    def pass_answer(self) -> bool:
        """Return whether an error may be answered, and count it."""
        self._answers += 1
        return self._answers <= MOST_ANSWERS

    def _begin(self, now: float) -> None:
        if now >= self._ends:
            self._ends = now + WINDOW_SECONDS
            self._messages.clear()
            self._packets = 0
            self._answers = 0


class Schedule(Generic[T]):
    """What is due later, in order of time, and of arrival where times are the same."""

    def __init__(self) -> None:
        self._waiting: list[tuple[float, int, T]] = []
        self._numbers = count()

    def add(self, due: float, one: T) -> bool:
        """Keep something until it is due; return False if there is too much already."""
        if len(self._waiting) >= MOST_SCHEDULED:
            return False
        heapq.heappush(self._waiting, (due, next(self._numbers), one))
        return True

    def take_due(self, now: float) -> Iterator[T]:
        """Yield what is due."""
        while self._waiting and self._waiting[0][0] <= now:
            yield heapq.heappop(self._waiting)[2]

    def seconds_left(self, now: float) -> float:
        """Return how long nothing is due; infinity if nothing waits."""
        return max(0.0, self._waiting[0][0] - now) if self._waiting else math.inf
