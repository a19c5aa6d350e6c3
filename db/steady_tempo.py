"""Find where beats keep one tempo, and make them exactly even there.

A line is fitted to the times of 16 beats, counted in half beats, so that a tracker that changes
from the beat to the off-beat does not matter. Neighbouring lines that continue each other are
joined, which makes the tempo the more exact the longer it lasts.
"""

from dataclasses import dataclass

import numpy as np

CHUNK_BEATS = 16
LEAST_BEATS = 6  # of a chunk
NEAR_S = 0.025  # beats at most this far from the line are fitted
MOST_FAR = 0.3  # share of a chunk's beats that may be farther
DRIFT_S = 0.008  # how far the mean of a chunk may lie from the line of several


@dataclass
class Line:
    """Half beats at `start + n * step` seconds, fitted to the beats from `first` to before `end`.

    Attributes
    ----------
    sums : ndarray, shape (chunks, 5)
        Of each chunk: the number of beats fitted, and sums of n, n², time, and n · time.
    """

    first: int
    end: int
    start: float
    step: float
    sums: np.ndarray

    @property
    def is_long(self) -> bool:
        """True if more than one chunk is on it."""
        return len(self.sums) > 1

    def place(self, times: np.ndarray) -> np.ndarray:
        """Return the number of the half beat nearest to each time."""
        return np.rint((times - self.start) / self.step)

    def is_near(self, times: np.ndarray) -> np.ndarray:
        """Return which times lie near a half beat."""
        distance = times - self.start - self.place(times) * self.step
        return np.abs(distance) <= min(NEAR_S, self.step / 4)


def steady_lines(times: np.ndarray) -> list[Line]:
    """Return the lines of the parts of steady tempo, in order.

    They have two chunks at least, unless there is one chunk in all.

    Parameters
    ----------
    times : ndarray, float64, shape (beats,)
        In seconds, rising.
    """
    lines: list[Line] = []
    n_chunks = max(1, len(times) // CHUNK_BEATS)
    edges = np.linspace(0, len(times), n_chunks + 1).astype(np.int64)
    for first, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        if lines and lines[-1].end == first:
            longer = _extend(lines[-1], times, end)
            if longer is not None:
                lines[-1] = longer
                continue
        line = _fit_chunk(times, first, end)
        if line is not None:
            lines.append(line)
    lines = [line for line in lines if line.is_long or n_chunks == 1]
    for i, line in enumerate(lines):
        least = lines[i - 1].end if i else 0
        most = lines[i + 1].first if i + 1 < len(lines) else len(times)
        _grow(line, times, least, most)
    return lines


def _grow(line: Line, times: np.ndarray, least: int, most: int) -> None:
    """Take in the neighbouring beats that lie on the line, at most from `least` to `most`."""
    near = line.is_near(times)
    while line.end < most and near[line.end]:
        line.end += 1
    while line.first > least and near[line.first - 1]:
        line.first -= 1


def _fit_chunk(times: np.ndarray, first: int, end: int) -> Line | None:
    """Fit a line to one chunk; None if its tempo is not steady."""
    if end - first < LEAST_BEATS:
        return None
    chunk = times[first:end]
    step = _best_step(chunk)
    angle = np.angle(np.exp(2j * np.pi * (chunk - chunk[0]) / step).sum())
    line = Line(first, end, chunk[0] + angle / (2 * np.pi) * step, step, np.empty((0, 5)))
    return _refit(line, times, first, end)


def _best_step(chunk: np.ndarray) -> float:
    """Return the half beat on whose multiples most beats lie, in seconds."""
    middle = 2 / np.median(np.diff(chunk))
    rates = middle * np.linspace(0.95, 1.05, 101)
    angles = 2j * np.pi * np.outer(rates, chunk - chunk[0])
    return float(1 / rates[np.abs(np.exp(angles).sum(axis=1)).argmax()])


def _extend(line: Line, times: np.ndarray, end: int) -> Line | None:
    """Return the line fitted to the chunk up to `end` as well, None if that does not fit."""
    return _refit(line, times, line.end, end)


def _refit(line: Line, times: np.ndarray, first: int, end: int) -> Line | None:
    """Fit the line to the beats from `first` to `end` and to those that it was fitted to."""
    chunk = times[first:end]
    for _ in range(2):
        n = line.place(chunk)
        near = line.is_near(chunk)
        if near.mean() < 1 - MOST_FAR:
            return None
        n = n[near]
        near_times = chunk[near]
        row = [len(n), n.sum(), (n**2).sum(), near_times.sum(), (n * near_times).sum()]
        sums = np.vstack([line.sums, row])
        count, sum_n, sum_n2, sum_t, sum_nt = sums.sum(axis=0)
        spread = sum_n2 - sum_n**2 / count
        if spread <= 0:
            return None
        step = (sum_nt - sum_n * sum_t / count) / spread
        start = (sum_t - step * sum_n) / count
        drift = (sums[:, 3] - start * sums[:, 0] - step * sums[:, 1]) / sums[:, 0]
        if np.abs(drift).max() > DRIFT_S:
            return None
        fitted = Line(line.first, end, start, step, sums)
        if (fitted.place(chunk) == line.place(chunk)).all():
            return fitted
        line = Line(line.first, line.end, start, step, line.sums)
    return None
