"""Onsets of a continuation on the grid of its seed.

    seed          x   x   x x x   x   x   x      onsets
                | | | | | | | | | | | | | | |    the tatums that most of them are near
    continuation                              | | | | | | |   the same grid goes on
                                                x   x   x     onsets

A beat tracker gives the tempo to a few per cent only, and half a minute later even 0.1 % has become
30 ms. So the grid is the period near that tempo, and the phase, for which the onsets of the seed
agree best: the highest vector strength |Σ exp(2πi t / period)| / n (Goldberg and Brown 1969).
"""

from dataclasses import dataclass

import numpy as np

from audio.librosa_import import import_librosa
from audio.onsets import HOP_LENGTH, SAMPLE_RATE, find_onsets
from audio.resample import resample

TATUMS_PER_BEAT = 4
TOLERANCE_SECONDS = 0.03
PERIODS = np.exp(np.linspace(np.log(0.97), np.log(1.03), 601))  # of the tracked one; 0.01 % apart
LEAST_STRENGTH = 0.3  # random onsets have up to 0.2, onsets of steady music 0.7 and more
FEWEST_ONSETS = 8


@dataclass(frozen=True)
class TatumGrid:
    """Tatums, quarters of a beat, at `first` + n * `period`, in seconds."""

    first: float
    period: float

    def later(self, seconds: float) -> "TatumGrid":
        """Return the same grid with time 0 that much later."""
        return TatumGrid(self.first - seconds, self.period)


def find_beat_period(audio: np.ndarray, sample_rate: int) -> float | None:
    """Return the median interval between beats in seconds, by librosa's tracker (Ellis 2007).

    None if there are no beats. `audio` is (n_samples,), float32.
    """
    audio = resample(audio, sample_rate, SAMPLE_RATE)
    _, beats = import_librosa().beat.beat_track(
        y=audio, sr=SAMPLE_RATE, hop_length=HOP_LENGTH, units="time", trim=False
    )
    return float(np.median(np.diff(beats))) if len(beats) > 1 else None


def fit_grid(onsets: np.ndarray, beat_period: float) -> TatumGrid | None:
    """Return the grid that onsets (n,), in seconds, agree with best, near a tempo.

    None if there are few onsets, or they agree with none.
    """
    if len(onsets) < FEWEST_ONSETS:
        return None
    periods = beat_period / TATUMS_PER_BEAT * PERIODS
    means = np.exp(2j * np.pi * onsets / periods[:, None]).mean(axis=1)
    best = int(np.abs(means).argmax())
    if np.abs(means[best]) < LEAST_STRENGTH:
        return None
    period = float(periods[best])
    return TatumGrid(float(np.angle(means[best])) / (2 * np.pi) * period, period)


def find_grid(audio: np.ndarray, sample_rate: int) -> TatumGrid | None:
    """Return the grid of a seed, with time 0 at its end; None without a steady beat.

    `audio` is (n_samples,), float32.
    """
    beat_period = find_beat_period(audio, sample_rate)
    if beat_period is None:
        return None
    grid = fit_grid(find_onsets(audio, sample_rate), beat_period)
    return grid.later(len(audio) / sample_rate) if grid else None


def share_on_grid(onsets: np.ndarray, grid: TatumGrid) -> float:
    """Return the share of onsets (n,), in seconds, within 30 ms of a tatum; NaN without onsets."""
    if not len(onsets):
        return np.nan
    phase = (onsets - grid.first) / grid.period
    return float((np.abs(phase - np.rint(phase)) * grid.period <= TOLERANCE_SECONDS).mean())


def share_by_chance(grid: TatumGrid) -> float:
    """Return the share of onsets at random times that lie on the grid: 0.48 at 120 bpm."""
    return min(1.0, 2 * TOLERANCE_SECONDS / grid.period)


def onsets_on_grid(audio: np.ndarray, seed: np.ndarray, sample_rate: int) -> float:
    """Return the share of onsets of a continuation on the grid of its seed.

    NaN if the continuation has no onsets or the seed no steady beat. Both are (n_samples,),
    float32; the continuation begins where the seed ends.
    """
    grid = find_grid(seed, sample_rate)
    if grid is None:
        return np.nan
    return share_on_grid(find_onsets(audio, sample_rate), grid)
