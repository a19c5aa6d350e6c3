"""The tempo of a MIDI clock, from ticks that come early, late, twice or not at all.

    ticks ──► number of each on the line of the last ones ──► median slope of that line ──► bpm

A tick that comes twice gets a number that is taken, and one that is missing leaves a number out. If
the last ticks are as straight when they are numbered one by one, the tempo has jumped: the line
begins anew with them.
"""

from collections import deque

import numpy as np

TICKS_PER_BEAT = 24
LINE_TICKS = 12  # that the number of the next is told from
SHORT_TICKS = 24  # that the tempo is measured on while it changes
LONG_TICKS = 96  # while it is steady
LEAST_TICKS = 4  # that a line is laid through
SILENCE_S = 0.5  # without a tick: the clock has stopped
BPM_RANGE = (20.0, 400.0)
LEAST_PERIOD_S = 0.001  # of a tick, so that a flood of them is not divided by
CHANGE = 0.001  # of the tempo: what is less is no change
SURE = 6.0  # standard errors
WORSE = 1.0  # ratio of two lines' errors up to which they are as good
WORSE_S = 0.0001  # and what comes on top


class MidiClock:
    """Measures the tempo of ticks, 24 per beat.

    Attributes
    ----------
    bpm : float
        Beats per minute; 0 if there is no clock, or none from 20 to 400 bpm.
    """

    def __init__(self) -> None:
        self.bpm = 0.0
        self._line: deque[tuple[int, float]] = deque(maxlen=LONG_TICKS)  # number, seconds
        self._latest: deque[tuple[int, float]] = deque(maxlen=LINE_TICKS)  # all, as they came
        self._period = 0.0

    def tick(self, at_s: float) -> None:
        """Take a tick that came at a moment, in seconds of a clock that never goes back."""
        self.check(at_s)
        number = self._number(at_s)
        self._latest.append((number, at_s))
        if not self._line or number > self._line[-1][0]:
            self._line.append((number, at_s))
        if self._has_jumped():
            self._restart()
        if len(self._line) >= LEAST_TICKS:
            self._measure()

    def check(self, at_s: float) -> None:
        """Find out whether the clock has stopped by this moment; to be called now and then."""
        if self._latest and at_s - self._latest[-1][1] > SILENCE_S:
            self._line.clear()
            self._latest.clear()
            self.bpm = 0.0

    def _number(self, at_s: float) -> int:
        """Return the number of a tick on the line of the last ones."""
        if len(self._line) < LEAST_TICKS:
            return self._line[-1][0] + 1 if self._line else 0
        numbers, seconds = _columns(list(self._line)[-LINE_TICKS:])
        offset = np.median(seconds - numbers * self._period)
        return round((at_s - offset) / self._period)

    def _has_jumped(self) -> bool:
        numbers, seconds = _columns(list(self._latest))
        one_by_one = np.arange(len(numbers))
        if len(numbers) < LINE_TICKS or np.ptp(numbers) == np.ptp(one_by_one):
            return False
        return _error(one_by_one, seconds) <= WORSE * _error(numbers, seconds) + WORSE_S

    def _restart(self) -> None:
        anew = [(number, at_s) for number, (_, at_s) in enumerate(self._latest)]
        self._latest.clear()
        self._latest.extend(anew)
        self._line.clear()
        self._line.extend(anew)

    def _measure(self) -> None:
        """Set the period of the last ticks, and the tempo."""
        ticks = list(self._line)
        slopes = _slopes(ticks[-SHORT_TICKS:])
        self._period = max(float(np.median(slopes)), LEAST_PERIOD_S)
        period = max(float(np.median(_slopes(ticks))), LEAST_PERIOD_S)
        if abs(period - self._period) > max(CHANGE * period, SURE * _standard_error(slopes)):
            period = self._period
            self._line = deque(ticks[-SHORT_TICKS:], maxlen=LONG_TICKS)
        if len(ticks) < LINE_TICKS:
            return
        bpm = 60 / (TICKS_PER_BEAT * period)
        least, most = BPM_RANGE
        self.bpm = bpm if least <= bpm <= most else 0.0


def _columns(ticks: list[tuple[int, float]]) -> tuple[np.ndarray, np.ndarray]:
    """Return numbers and seconds, both float64, shape (ticks,)."""
    numbers, seconds = np.array(ticks).T
    return numbers, seconds


def _slopes(ticks: list[tuple[int, float]]) -> np.ndarray:
    """Return the seconds per tick between the ticks of the first half and those of the second."""
    numbers, seconds = _columns(ticks)
    half = len(ticks) // 2
    return (seconds[half:] - seconds[:-half]) / (numbers[half:] - numbers[:-half])


def _standard_error(values: np.ndarray) -> float:
    """Return that of the median, told from the absolute deviations."""
    deviation = 1.4826 * np.median(np.abs(values - np.median(values)))
    return float(1.2533 * deviation / np.sqrt(len(values)))


def _error(numbers: np.ndarray, seconds: np.ndarray) -> float:
    """Return the root mean square distance in seconds from the best line."""
    numbers = numbers - numbers.mean()
    seconds = seconds - seconds.mean()
    extent = max(float(numbers @ numbers), 1.0)
    slope = float(numbers @ seconds) / extent
    return float(np.sqrt(np.mean((seconds - slope * numbers) ** 2)))
