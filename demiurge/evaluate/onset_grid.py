"""Onsets of a continuation on the beat grid of its seed.

seed      |       |       |       |        beats, found and fitted by a line
          | | | | | | | | | | | | |        tatums, a quarter of a beat
continuation                      | | | |  | | | |     the same grid goes on
                                  x   x   x   x        onsets
"""

from dataclasses import dataclass

import numpy as np

from audio.librosa_import import import_librosa
from audio.resample import resample
from demiurge.evaluate.rhythm import HOP_LENGTH, SAMPLE_RATE

TATUMS_PER_BEAT = 4
TOLERANCE_SECONDS = 0.03
FEWEST_BEATS = 4
FARTHEST_BEAT = 0.25  # beats: what lies farther from the fitted line is left out
FITS = 5


@dataclass(frozen=True)
class BeatGrid:
    """Beats at `first` + n * `period`, in seconds."""

    first: float
    period: float

    def later(self, seconds: float) -> "BeatGrid":
        """Return the same grid with time 0 that much later."""
        return BeatGrid(self.first - seconds, self.period)


def find_beats(audio: np.ndarray, sample_rate: int) -> np.ndarray:
    """Return the times of the beats in seconds, by librosa's tracker (Ellis, 2007); often none.

    `audio` is (n_samples,), float32.
    """
    audio = resample(audio, sample_rate, SAMPLE_RATE)
    _, beats = import_librosa().beat.beat_track(
        y=audio, sr=SAMPLE_RATE, hop_length=HOP_LENGTH, units="time", trim=False
    )
    return np.asarray(beats, np.float64)


def fit_grid(beats: np.ndarray) -> BeatGrid | None:
    """Return the line of constant tempo through beats (n,), in seconds; None if there are few.

    Beats that are missing are stepped over; beats far from the line are left out.
    """
    if len(beats) < FEWEST_BEATS:
        return None
    period = float(np.median(np.diff(beats)))
    numbers = np.concatenate([[0], np.cumsum(np.rint(np.diff(beats) / period))])
    is_near = np.ones(len(beats), bool)
    first = float(beats[0])
    for _ in range(FITS):
        if is_near.sum() < FEWEST_BEATS:
            return None
        period, first = np.polyfit(numbers[is_near], beats[is_near], 1)
        is_near = np.abs(beats - first - numbers * period) <= FARTHEST_BEAT * period
    return BeatGrid(float(first), float(period))


def find_onsets(audio: np.ndarray, sample_rate: int) -> np.ndarray:
    """Return the times of onsets in seconds, to about 5 ms; `audio` is (n_samples,), float32."""
    librosa = import_librosa()
    audio = resample(audio, sample_rate, SAMPLE_RATE)
    strength = librosa.onset.onset_strength(y=audio, sr=SAMPLE_RATE, hop_length=HOP_LENGTH)
    frames = librosa.onset.onset_detect(
        onset_envelope=strength, sr=SAMPLE_RATE, hop_length=HOP_LENGTH
    )
    return frames * HOP_LENGTH / SAMPLE_RATE


def share_on_grid(onsets: np.ndarray, grid: BeatGrid) -> float:
    """Return the share of onsets (n,), in seconds, within 30 ms of a tatum; NaN without onsets.

    Of onsets at random times, 0.06 s / tatum are: 0.48 at 120 bpm (`share_by_chance`).
    """
    if not len(onsets):
        return np.nan
    tatum = grid.period / TATUMS_PER_BEAT
    phase = (onsets - grid.first) / tatum
    return float((np.abs(phase - np.rint(phase)) * tatum <= TOLERANCE_SECONDS).mean())


def share_by_chance(grid: BeatGrid) -> float:
    """Return the share of onsets at random times that lie on the grid."""
    return min(1.0, 2 * TOLERANCE_SECONDS * TATUMS_PER_BEAT / grid.period)


def onsets_on_grid(audio: np.ndarray, seed: np.ndarray, sample_rate: int) -> float:
    """Return the share of onsets of a continuation on the grid of its seed.

    NaN if the continuation has no onsets or the seed no beats. Both are (n_samples,), float32; the
    continuation begins where the seed ends.
    """
    grid = fit_grid(find_beats(seed, sample_rate))
    if grid is None:
        return np.nan
    return share_on_grid(find_onsets(audio, sample_rate), grid.later(len(seed) / sample_rate))
