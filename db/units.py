"""Divide sources into units: frames, fixed lengths, onsets or beats.

Units tile a source from its first sample to its last. Onsets are found in two steps:

    mel bands of each frame -> how much they rise (spectral flux) -> peaks: to one frame, 23 ms
    energy of every 64 samples -> steepest rise near the peak -> back to the last quiet moment
    before it: to one sample

A unit thus begins just before its attack, at or near a zero crossing, and the attack is complete.
Both measures are taken as the file streams past, and need 4 kB of memory per second of audio.

Beats are tracked by the same spectral flux (`db.track_beats`), which takes 8 kB more. A unit of
beats or parts of them begins with the onset near its place in the grid, if there is one. Where
there is no pulse, units are onsets, 250 to 500 ms apart.
"""

from bisect import bisect

import numpy as np

from db.beat_grid import BeatGrid
from db.descriptors.frames import Frames
from db.envelope import ENVELOPE_SAMPLES
from db.settings import DURATION, DescriptorSettings
from db.snap import starts_at_tatums
from db.track_beats import BeatTracker

PEAK_FRAMES = 2  # frames on either side that a peak must exceed, 46 ms
MEAN_FRAMES = 8  # frames on either side whose mean a peak must exceed by RISE_DB, 186 ms
# mean rise over the mel bands; 1 to 1.5 works best on drums and plucked strings (docs/rooms/db.md)
RISE_DB = 1.0
SNAP_S = 0.035  # how far an onset may be from the tatum whose unit begins with it
# longest unit where there is no pulse, among units that are parts of beats; the shortest is half
WITHOUT_PULSE_MS = 500.0


def equal_unit_lengths(n_samples: int, unit_samples: int) -> np.ndarray:
    """Return the lengths of units of `unit_samples`, of which the last may be shorter; int64."""
    n_units = -(-n_samples // unit_samples)
    lengths = np.full(n_units, unit_samples)
    lengths[-1] = n_samples - (n_units - 1) * unit_samples
    return lengths


def step_lengths(sequence: np.ndarray, settings: DescriptorSettings) -> np.ndarray:
    """Return the length of each step of a raw sequence in samples, int64, shape (steps,).

    Onsets and beats have their duration as a descriptor; all other units have one length.
    """
    if settings.units_vary:
        seconds = np.exp2(sequence[:, settings.names.index(DURATION)].astype(np.float64))
        return np.maximum(np.rint(seconds * settings.sample_rate).astype(np.int64), 1)
    return np.full(len(sequence), settings.fixed_samples or settings.hop_length)


class UnitFinder:
    """Finds onset or beat units in a signal and its frames as they stream past."""

    def __init__(self, settings: DescriptorSettings) -> None:
        self._settings = settings
        self._tracker = BeatTracker(settings)
        self._envelope = self._tracker.envelope

    def watch_signal(self, block: np.ndarray) -> None:
        """Add the next samples."""
        self._envelope.add(block)

    def watch_frames(self, frames: Frames) -> None:
        """Add the next frames."""
        self._tracker.flux.add(frames)

    def find(self, n_samples: int) -> tuple[np.ndarray, BeatGrid | None]:
        """Return the lengths of the units, and the beats if units are beats or parts of them.

        The lengths are int64, each at least 1, and sum to `n_samples`.
        """
        settings = self._settings
        flux = self._tracker.flux.finish()
        self._envelope.finish()
        peaks = _find_peaks(flux[:, 0])
        onsets = np.array([self._find_attack(peak) for peak in peaks], np.int64)
        order = np.argsort(onsets, kind="stable")
        onsets = onsets[order]
        strengths = flux[peaks[order], 0]
        grid = self._tracker.grid(flux, n_samples) if settings.beat_parts else None
        if grid:
            starts = self._beat_starts(grid, onsets, strengths)
        else:
            shortest = self._samples(settings.min_unit_ms)
            starts = _drop_close(onsets.tolist(), strengths, n_samples, shortest)
        starts = self._split_long(starts, n_samples, self._samples(settings.max_unit_ms))
        return np.diff([*starts, n_samples]), grid

    def _beat_starts(self, grid: BeatGrid, onsets: np.ndarray, strengths: np.ndarray) -> list[int]:
        """Return the starts of parts of beats, and of onsets where there is no pulse."""
        settings = self._settings
        n_samples = grid.n_samples
        tatums, ranks = grid.ranked_tatums(settings.beat_parts)
        reach = SNAP_S * settings.sample_rate
        starts = starts_at_tatums(tatums, onsets, self._envelope, reach)
        inside = (starts >= 0) & (starts < n_samples)
        shortest = self._samples(settings.min_unit_ms)
        on_grid = _drop_close(starts[inside].tolist(), ranks[inside], n_samples, shortest)
        least, most = (self._samples(limit) for limit in self._limits_without_pulse())
        result = []
        for start, end in zip(on_grid, [*on_grid[1:], n_samples], strict=True):
            if grid.has_pulse_at((start + end) / 2):
                result.append(start)
                continue
            first, last = np.searchsorted(onsets, [start, end])
            inner = (onsets[first:last] - start).tolist()
            inner = _drop_close(inner, strengths[first:last], end - start, least)
            result += self._split_long([start + cut for cut in inner], end, most)
        return result

    def _limits_without_pulse(self) -> tuple[float, float]:
        """Return the shortest and the longest unit where there is no pulse, in ms."""
        settings = self._settings
        longest = min(WITHOUT_PULSE_MS, settings.max_unit_ms)
        return max(longest / 2, settings.min_unit_ms), max(longest, 2 * settings.min_unit_ms)

    def _samples(self, milliseconds: float) -> int:
        return max(1, round(milliseconds * self._settings.sample_rate / 1000))

    def _find_attack(self, frame: int) -> int:
        """Return the first sample of the unit whose attack is in a frame."""
        hop = self._settings.hop_length
        centre = frame * hop
        if self._settings.window_centre == "span":
            centre += hop // 2
        return self._envelope.start_of_attack(centre - hop, centre + hop)

    def _split_long(self, starts: list[int], n_samples: int, longest: int) -> list[int]:
        """Cut units longer than `longest` into equal parts.

        Each cut is moved to the quietest moment within a quarter of a part.
        """
        result = []
        for start, end in zip(starts, [*starts[1:], n_samples], strict=True):
            result.append(start)
            while (n_parts := -(-(end - result[-1]) // longest)) > 1:
                part = (end - result[-1]) / n_parts
                reach = min(part / 4, longest - part)
                result.append(self._quietest_near(result[-1] + part, reach))
        return result

    def _quietest_near(self, sample: float, reach: float) -> int:
        first = int((sample - reach) // ENVELOPE_SAMPLES) + 1
        last = int((sample + reach) // ENVELOPE_SAMPLES) - 1
        if first > last:
            return round(sample)
        return self._envelope.quiet_sample(first, min(last, self._envelope.n_blocks - 1))


def _find_peaks(flux: np.ndarray) -> np.ndarray:
    """Return the frames where the flux has a local maximum well above its surroundings."""
    from scipy.ndimage import maximum_filter1d, uniform_filter1d

    highest = maximum_filter1d(flux, 2 * PEAK_FRAMES + 1, mode="constant")
    mean = uniform_filter1d(flux, 2 * MEAN_FRAMES + 1, mode="nearest")
    return np.flatnonzero((flux == highest) & (flux > mean + RISE_DB))


def _drop_close(
    starts: list[int], strengths: np.ndarray, n_samples: int, shortest: int
) -> list[int]:
    """Return, in order, 0 and the strongest starts that keep units at least `shortest` samples."""
    kept = [0]
    for i in np.argsort(-strengths, kind="stable"):
        start = starts[i]
        place = bisect(kept, start)
        neighbours = kept[place - 1 : place + 1]
        is_far = all(abs(start - other) >= shortest for other in neighbours)
        if is_far and start <= n_samples - shortest:
            kept.insert(place, start)
    return kept
