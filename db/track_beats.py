"""Track the beats of a signal: novelty, likely beats, even beats where the tempo is steady.

    spectral flux of each frame -> novelty at 86 ticks a second -> the most likely beats, to a tick
    half beats on a line, 16 beats and more -> one tempo, exactly; else a smooth curve
    steepest rises near the beats -> their median distance -> the phase, to a millisecond
    how alike are the beats that follow one another -> pulse; where it is low, there is no grid

A beat is at its attack; a unit begins a few milliseconds earlier, where it is quiet.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from audio.read import AudioInfo, measure_mono
from audio.resample import resample_blocks
from db.beat_grid import BeatGrid, no_grid
from db.beat_path import FASTEST, HALF, NOVELTY, SLOWEST, likely_beats, tempo_cost
from db.descriptors.frames import frames_of
from db.envelope import Envelope
from db.loops import is_loop, loop_beats
from db.novelty import TICKS_PER_SECOND, Flux, novelty, root_mean_square
from db.pulse import pulse_of
from db.settings import DescriptorSettings
from db.steady_tempo import Line, steady_lines
from files.errors import AudioError

LEAST_BEATS = 4  # of a source that has a pulse
LEAST_FLUX_DB = 0.3  # root mean square; ambient sounds have less, a soft piano 0.4
FLUX_S = 0.023  # between frames; between closer ones, the bands rise less
ATTACK_S = 0.03  # how far a beat's attack is looked for
NEAR_S = 0.01  # distances from the attacks this near to their median are fitted by a line
LEAST_FITTED = 16  # beats
MOST_FITTED = 0.8  # of the beats
SMOOTH_BEATS = 9  # beats that a curve of the second degree is fitted to, where no tempo is steady
MULTIPLES = (1, 2, 4)  # half beats of a line that a beat can last


class BeatTracker:
    """Tracks the beats of a signal whose frames and samples stream past."""

    def __init__(self, settings: DescriptorSettings) -> None:
        self._settings = settings
        self.flux = Flux()
        self.envelope = Envelope()

    def grid(self, flux: np.ndarray, n_samples: int) -> BeatGrid:
        """Return the beats, from what `flux.finish` returned; the envelope is finished as well."""
        settings = self._settings
        hop = settings.hop_length
        rate = settings.sample_rate
        first = hop // 2 if settings.window_centre == "span" else 0
        step = rate / TICKS_PER_SECOND
        ticks = np.arange(int(n_samples / step) + 1) * step
        new = novelty(flux[:, 1:], np.arange(len(flux)) * hop + first, ticks)
        least_flux = LEAST_FLUX_DB * min(1.0, hop / rate / FLUX_S)
        if root_mean_square(flux[:, 0]) < least_flux or not self.envelope.n_blocks:
            return no_grid(n_samples, rate)
        beats, pulse = self._track(new, n_samples / rate)
        return BeatGrid(beats * rate, pulse, n_samples, rate).trimmed()

    def _track(self, new: np.ndarray, seconds: float) -> tuple[np.ndarray, np.ndarray]:
        """Return the beats in seconds, and the pulse after each."""
        beats = likely_beats(new, TICKS_PER_SECOND) / TICKS_PER_SECOND
        pulse = np.zeros(len(beats))
        if len(beats) >= LEAST_BEATS:
            beats = _enclose(self._even(beats, new), seconds)
            pulse = pulse_of(beats, new)
        loop = None if pulse.any() else loop_beats(new, seconds)
        return loop or (beats, pulse)

    def _even(self, beats: np.ndarray, new: np.ndarray) -> np.ndarray:
        """Make the beats even where the tempo is steady, and smooth elsewhere; in seconds."""
        parts = []
        done = 0
        for line in steady_lines(beats):
            parts.append(self._smooth(beats[done : line.first]))
            first = beats[line.first] if line.first else 0.0
            last = beats[line.end - 1] if line.end < len(beats) else len(new) / TICKS_PER_SECOND
            parts.append(self._on_attacks(_beats_of_line(line, first, last, new)))
            done = line.end
        parts.append(self._smooth(beats[done:]))
        return _join(parts)

    def _on_attacks(self, beats: np.ndarray) -> np.ndarray:
        """Bring even beats to their attacks: all by the same time, and with a truer tempo."""
        if not len(beats):
            return beats
        distances = self._distances(beats)
        middle = np.median(distances)
        near = np.abs(distances - middle) <= NEAR_S
        if near.sum() < max(LEAST_FITTED, MOST_FITTED * len(beats)):
            return beats + middle
        return beats + np.polyval(np.polyfit(beats[near], distances[near], 1), beats)

    def _smooth(self, beats: np.ndarray) -> np.ndarray:
        """Bring uneven beats to their attacks, along a smooth curve."""
        if len(beats) < SMOOTH_BEATS:
            return beats
        from scipy.signal import savgol_filter  # takes half a second to import

        return savgol_filter(beats + self._distances(beats), SMOOTH_BEATS, 2)

    def _distances(self, beats: np.ndarray) -> np.ndarray:
        """Return how far the attack near each beat is from it, in seconds."""
        rate = self._settings.sample_rate
        samples = beats * rate
        attacks, _ = self.envelope.attacks_near(samples, ATTACK_S * rate)
        return (attacks - samples) / rate


def _beats_of_line(line: Line, first: float, last: float, new: np.ndarray) -> np.ndarray:
    """Return the beats on a line of half beats between two times, in seconds.

    The beat's length in half beats, and which of them it begins on, are those of the most novelty,
    as in `likely_beats`; a loop begins on a beat.
    """
    n = np.arange(np.ceil((first - line.start) / line.step), (last - line.start) // line.step + 1)
    times = line.start + n * line.step
    at = np.interp(times * TICKS_PER_SECOND, np.arange(len(new)), new) - NOVELTY
    choices = []
    for multiple in MULTIPLES:
        seconds = multiple * line.step
        if multiple != 2 and not 60 / FASTEST <= seconds <= 60 / SLOWEST:
            continue
        for begin in range(multiple):
            half = at[begin + multiple // 2 :: multiple] if multiple > 1 else 0
            score = at[begin::multiple].sum() + HALF * np.sum(half)
            score -= len(times) * line.step * tempo_cost(seconds)
            choices.append((score, seconds, times[begin::multiple]))
    _, seconds, beats = max(choices, key=lambda choice: choice[0])
    if is_loop(new, seconds):
        # the beats of the same length of which one is nearest to the start
        same = [times for _, length, times in choices if length == seconds]
        return min(same, key=lambda times: abs((times[0] + seconds / 2) % seconds - seconds / 2))
    return beats


def _join(parts: list[np.ndarray]) -> np.ndarray:
    """Join parts of beats: leave out what is too close, and fill what is too far apart."""
    joined = parts[0]
    for part in parts[1:]:
        if len(part) < 2 or len(joined) < 2:
            joined = np.concatenate([joined, part])
            continue
        interval = np.median(np.diff(part))
        joined = joined[joined < part[0] - 0.6 * interval]
        if len(joined):
            n = round((part[0] - joined[-1]) / interval)
            filling = np.linspace(joined[-1], part[0], max(n, 1) + 1)[1:-1]
            joined = np.concatenate([joined, filling])
        joined = np.concatenate([joined, part])
    return joined


def _enclose(beats: np.ndarray, seconds: float) -> np.ndarray:
    """Add beats at either end so that they enclose the signal."""
    before = beats[1] - beats[0]
    n_before = max(0, int(np.ceil(beats[0] / before)))
    after = beats[-1] - beats[-2]
    n_after = max(0, int(np.ceil((seconds - beats[-1]) / after)))
    return np.concatenate(
        [
            beats[0] - before * np.arange(n_before, 0, -1),
            beats,
            beats[-1] + after * np.arange(1, n_after + 1),
        ]
    )


def track_beats(source: str | Path | np.ndarray, settings: DescriptorSettings) -> BeatGrid:
    """Track the beats of a file, or of a mono signal at the settings' rate.

    Raises
    ------
    AudioError
        If the file cannot be read, or has no samples.
    """
    if isinstance(source, np.ndarray):
        return _track([source], settings, "the signal")

    def track(info: AudioInfo, blocks: Iterator[np.ndarray]) -> BeatGrid:
        resampled = resample_blocks(blocks, info.sample_rate, settings.sample_rate)
        return _track(resampled, settings, Path(source).name)

    return measure_mono(source, track)[0]


def _track(blocks: Iterable[np.ndarray], settings: DescriptorSettings, name: str) -> BeatGrid:
    tracker = BeatTracker(settings)
    signal = _Listened(blocks, tracker.envelope)
    for frames in frames_of(signal, settings):
        tracker.flux.add(frames)
    if not signal.n_samples:
        raise AudioError(f"{name}: 0 samples; re-export the file or remove it")
    tracker.envelope.finish()
    return tracker.grid(tracker.flux.finish(), signal.n_samples)


class _Listened:
    """Passes blocks on while it counts their samples and measures their envelope."""

    def __init__(self, blocks: Iterable[np.ndarray], envelope: Envelope) -> None:
        self._blocks = blocks
        self._envelope = envelope
        self.n_samples = 0

    def __iter__(self) -> Iterator[np.ndarray]:
        for block in self._blocks:
            self.n_samples += len(block)
            self._envelope.add(block)
            yield block
