"""What a session measures of itself: levels, work, and what went wrong."""

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from audio.decibels import to_decibels
from demiurge.live.status import Status
from query.rules import REST

KEPT_STATUSES = 256
KEPT_TIMES = 1 << 17  # 50 minutes of frames
FLOOR_DB = -120.0
QUIETEST = 1e-6  # the peak that counts as silence


class Meters:
    """Levels, work and counts, published as a status for each unit.

    Attributes
    ----------
    status : Status
        The latest.
    late, underruns, clipped : int
        Units that came too late, gaps of the device, and samples beyond full scale.
    work : deque of float
        What each of the latest units took: analysis, choice and audio, in ms.
    """

    def __init__(self) -> None:
        self.status = Status()
        self.late = 0
        self.underruns = 0
        self.work: deque[float] = deque(maxlen=KEPT_TIMES)
        self._statuses: deque[Status] = deque(maxlen=KEPT_STATUSES)
        self._spent = 0.0  # seconds of work since the last unit
        self._work_ms = 0.0
        self._n_steps = 0
        self.clipped = 0
        self._output_db = FLOOR_DB

    @contextmanager
    def working(self) -> Iterator[None]:
        """Count what a block takes as work on the next unit."""
        started = time.perf_counter()
        yield
        self._spent += time.perf_counter() - started

    def limited(self, block: np.ndarray) -> np.ndarray:
        """Return samples of the output clipped to full scale, and take note of their level."""
        peak = float(np.abs(block).max(initial=0))
        self._output_db = to_decibels(peak) if peak > QUIETEST else FLOOR_DB
        if peak <= 1:
            return block
        self.clipped += int((np.abs(block) > 1).sum())
        return np.clip(block, -1, 1)

    def tell(self, *, voice: int, **facts: Any) -> None:
        """Publish a unit that was chosen: the other values of `Status`."""
        self._n_steps += 1
        if voice == 0:
            self._work_ms = 1000 * self._spent
            self._spent = 0.0
            if facts["position"] != REST:
                self.work.append(self._work_ms)
        self.status = Status(
            step=self._n_steps,
            voice=voice,
            output_db=self._output_db,
            work_ms=self._work_ms,
            late=self.late,
            underruns=self.underruns,
            clipped=self.clipped,
            **facts,
        )
        self._statuses.append(self.status)

    def steps_since(self, number: int) -> list[Status]:
        """Return the status of each step chosen after this number, at most the last 256."""
        return [status for status in list(self._statuses) if status.step > number]
