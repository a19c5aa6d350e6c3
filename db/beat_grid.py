"""The beats of a signal: when they are, how sure that is, and when the next ones would come."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

TEMPO_ORIGIN = 120.0  # beats per minute whose `tempo` is 0
STEADY_BEATS = (16, 8, 4, 2)  # beats at the end of a signal that may give its continuation's tempo
STEADY_S = 0.01  # how far they may be from even


@dataclass(frozen=True)
class BeatGrid:
    """The beats of a signal.

    Attributes
    ----------
    beats : ndarray, float64, shape (n_beats,)
        In samples, rising. They enclose the parts that have a pulse: the first may lie before the
        signal's start, and the last beyond its end.
    pulse : ndarray, float64, shape (n_beats,)
        How sure the tracker is, 0 to 1, of the interval from each beat to the next. 0 where there
        is no pulse, and for the last beat.
    n_samples : int
        Length of the signal.
    sample_rate : int
        Hz.
    """

    beats: np.ndarray
    pulse: np.ndarray
    n_samples: int
    sample_rate: int

    @cached_property
    def confidence(self) -> float:
        """Mean pulse over the whole signal, 0 to 1."""
        ends = np.clip(self.beats, 0, self.n_samples)
        return float(np.diff(ends, append=ends[-1:]) @ self.pulse / self.n_samples)

    @cached_property
    def tempo(self) -> float:
        """Median beats per minute where there is a pulse; 0 if there is none."""
        intervals = np.diff(self.beats)[self.pulse[:-1] > 0]
        return 60 * self.sample_rate / float(np.median(intervals)) if len(intervals) else 0.0

    def trimmed(self) -> "BeatGrid":
        """Return the grid without beats that no part with a pulse needs."""
        needed = self.pulse > 0
        needed[1:] |= needed[:-1]
        return replace(self, beats=self.beats[needed], pulse=self.pulse[needed])

    def tatums(self, n: int) -> np.ndarray:
        """Return the times of all n-ths of a beat where there is a pulse, float64, in samples."""
        return self._places(n)[0]

    def ranked_tatums(self, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Return `tatums(n)`, and the rank of each: 1 for a beat, 1/2 for its half, …, 1/n."""
        times, parts = self._places(n)
        return times, np.gcd(parts, n) / n

    def has_pulse_at(self, sample: float) -> bool:
        at = int(np.searchsorted(self.beats, sample, side="right")) - 1
        return at >= 0 and bool(self.pulse[at] > 0)

    def _places(self, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the times of the tatums, and which n-th of the beat each is."""
        has_pulse = self.pulse[:-1] > 0
        starts = self.beats[:-1][has_pulse]
        steps = np.diff(self.beats)[has_pulse] / n
        times = starts[:, None] + steps[:, None] * np.arange(n)
        parts = np.broadcast_to(np.arange(n), times.shape)
        is_end = np.zeros(len(self.beats), bool)  # the last beat of each part that has a pulse
        is_end[1:] = has_pulse
        is_end[:-1] &= ~has_pulse
        ends = self.beats[is_end]
        all_times = np.concatenate([times.ravel(), ends])
        all_parts = np.concatenate([parts.ravel(), np.zeros(len(ends), np.int64)])
        order = np.argsort(all_times, kind="stable")
        return all_times[order], all_parts[order]

    def after(self, sample: float, n: int, *, count: int) -> np.ndarray:
        """Return the next n-ths of a beat from a sample on, as if the signal went on.

        From the signal's end on they are extrapolated by the tempo of the last beats that are
        steady; within the signal, from the end of the part with a pulse on that it lies in.

        Parameters
        ----------
        sample : float
            Usually the signal's end.
        n : int > 0
            Parts of a beat.
        count : int
            How many times to return.

        Returns
        -------
        ndarray, float64, shape (count,), in samples; empty if there is no pulse
        """
        first, last = self._part_with_pulse(sample)
        beats = self.beats[first : last + 1]
        if not len(beats):
            return np.empty(0)
        origin, step = _last_tempo(beats, STEADY_S * self.sample_rate)
        step /= n
        known = np.empty(0)
        if sample < self.n_samples:
            places = np.arange((len(beats) - 1) * n) / n
            known = np.interp(places, np.arange(len(beats)), beats)
            known = known[known >= sample - 1e-6 * step][:count]
            sample = max(sample, float(beats[-1]))
        next_tatum = np.ceil((sample - origin) / step - 1e-6)
        return np.append(known, origin + step * (next_tatum + np.arange(count - len(known))))

    def _part_with_pulse(self, sample: float) -> tuple[int, int]:
        """Return the first and the last beat of the part with a pulse at a sample.

        If there is none, it is the one before, and otherwise the first; (0, -1) without any.
        """
        has_pulse = self.pulse > 0
        starts = np.flatnonzero(has_pulse & ~np.append(False, has_pulse[:-1]))
        ends = np.flatnonzero(has_pulse & ~np.append(has_pulse[1:], False)) + 1
        if not len(starts):
            return 0, -1
        part = max(int(np.searchsorted(self.beats[starts], sample, side="right")) - 1, 0)
        return int(starts[part]), int(ends[part])

    def columns(self, starts: np.ndarray) -> np.ndarray:
        """Return `beat_cos`, `beat_sin`, `tempo` and `pulse` at samples, float64, (n, 4).

        The first two are the place within the beat as an angle, and `tempo` is log2 of beats per
        minute over 120. All are 0 where there is no pulse.
        """
        columns = np.zeros((len(starts), 4))
        if len(self.beats) < 2:
            return columns
        at = np.clip(np.searchsorted(self.beats, starts, side="right") - 1, 0, len(self.beats) - 2)
        inside = (starts >= self.beats[0]) & (starts < self.beats[-1]) & (self.pulse[at] > 0)
        intervals = np.diff(self.beats)[at]
        angle = 2 * np.pi * (starts - self.beats[at]) / intervals
        tempo = np.log2(60 * self.sample_rate / intervals / TEMPO_ORIGIN)
        values = (np.cos(angle), np.sin(angle), tempo, self.pulse[at])
        columns[inside] = np.stack(values, axis=1)[inside]
        return columns


def _last_tempo(beats: np.ndarray, near: float) -> tuple[float, float]:
    """Return the start and the step of the longest line that the last beats lie near."""
    for n in STEADY_BEATS:
        last = beats[-n:]
        places = np.arange(len(last))
        step, origin = np.polyfit(places, last, 1)
        if np.abs(origin + step * places - last).max() <= near:
            break
    return float(origin), float(step)


def no_grid(n_samples: int, sample_rate: int) -> BeatGrid:
    """Return the grid of a signal without a pulse."""
    return BeatGrid(np.empty(0), np.empty(0), n_samples, sample_rate)
