"""Attacks of a mosaic compared with those of its target.

envelope   RMS of the first difference under a Hann window of 1 ms. The first difference emphasises
           high frequencies, where attacks stand out from the swings of a bass note
place      within 30 ms of an onset (`audio.onsets`), where the energy of the next 4 ms is largest
           against that of the 8 ms before, as in `playback.attacks`
attack     an onset of the target where that ratio is 6 dB or more
rise       from 10 to 90 % of the way from the mean envelope in the 8 ms before the place to the
           largest value in the 15 ms after it; in each sound at its own place
kept       the mosaic has an onset within 25 ms, too

               largest value after the place
    90 % ─ ─ ─╱▔╲
    10 % ─ ─ ╱   ╲__
    before __╱ rise: time between the crossings
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import convolve1d

from audio.onsets import find_onsets

ENVELOPE_S = 0.001
NEAR_S = 0.03  # of the onset, whose time is known to about 10 ms
AFTER_S = 0.004
BEFORE_S = 0.008
PEAK_S = 0.015
KEPT_S = 0.025
LEAST_RATIO = 4.0  # of energies: 6 dB; chords of an orchestra rarely rise by more
FLOOR = 1e-8  # energy that is not audible, as in `playback.attacks`
CLOSE_MS = 2.0


@dataclass(frozen=True)
class AttackFigures:
    """The attacks of one mosaic.

    Attributes
    ----------
    kept : ndarray, bool, shape (attacks,)
    target_ms, result_ms : ndarray, float64, shape (attacks,): rise times, NaN where nothing rises
    """

    kept: np.ndarray
    target_ms: np.ndarray
    result_ms: np.ndarray

    @property
    def close(self) -> np.ndarray:
        """Whether the rise time is within 2 ms of the target's, (attacks,)."""
        return np.abs(self.result_ms - self.target_ms) <= CLOSE_MS


def compare_attacks(target: np.ndarray, result: np.ndarray, rate: int) -> AttackFigures:
    """Measure the target's attacks in both sounds, (n,) at `rate` Hz."""
    result = np.pad(result, (0, max(0, len(target) - len(result))))
    onsets = find_onsets(target, rate)
    apart = np.abs(onsets[:, None] - find_onsets(result, rate)[None]).min(axis=1, initial=np.inf)
    of_target, ratios = measure_rises(target, onsets, rate)
    of_result, _ = measure_rises(result, onsets, rate)
    strong = ratios >= LEAST_RATIO
    return AttackFigures(apart[strong] <= KEPT_S, of_target[strong], of_result[strong])


def measure_rises(
    sound: np.ndarray, onsets: np.ndarray, rate: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the rise times at onsets (onsets,) in ms, and the ratios of energies there."""
    amplitude = envelope(sound, rate)
    ratio = energy_ratio(sound, rate)
    near = round(NEAR_S * rate)
    rises = np.full(len(onsets), np.nan)
    ratios = np.zeros(len(onsets))
    for number, at in enumerate(np.rint(onsets * rate).astype(int)):
        first = max(0, at - near)
        place = first + int(ratio[first : at + near].argmax())
        ratios[number] = ratio[place]
        rises[number] = rise_ms(amplitude, place, rate)
    return rises, ratios


def energy_ratio(sound: np.ndarray, rate: int) -> np.ndarray:
    """Return the energy of the 4 ms after each sample over that of the 8 ms before, (n,)."""
    after = round(AFTER_S * rate)
    before = round(BEFORE_S * rate)
    energy = np.square(np.diff(sound.astype(np.float64), prepend=sound[:1]))
    summed = np.cumsum(np.pad(energy, (before + 1, after)))
    middle = summed[before : before + len(sound)]
    behind = (middle - summed[: len(sound)]) / before
    ahead = (summed[before + after :][: len(sound)] - middle) / after
    return ahead / (behind + FLOOR)


def envelope(sound: np.ndarray, rate: int) -> np.ndarray:
    """Return the envelope of a sound (n,), float64, of as many values."""
    window = np.hanning(round(ENVELOPE_S * rate) + 2)
    steps = np.diff(sound.astype(np.float64), prepend=sound[:1])
    return np.sqrt(np.maximum(convolve1d(steps**2, window / window.sum(), mode="constant"), 0))


def rise_ms(amplitude: np.ndarray, place: int, rate: int) -> float:
    """Return the rise time of an envelope (n,) at a sample, in ms; NaN where nothing rises."""
    first = max(0, place - round(BEFORE_S * rate))
    around = amplitude[first : place + round(PEAK_S * rate)]
    low = amplitude[first:place].mean() if place > first else 0.0
    peak = (place - first) + int(amplitude[place : place + round(PEAK_S * rate)].argmax())
    if around[peak] - low <= FLOOR:
        return np.nan
    share = (around[: peak + 1] - low) / (around[peak] - low)
    start = len(share) - 1 - int(np.argmax(share[::-1] <= 0.1))
    end = start + int(np.argmax(share[start:] >= 0.9))
    return (crossing(share, end, 0.9) - crossing(share, start + 1, 0.1)) / rate * 1000


def crossing(share: np.ndarray, after: int, level: float) -> float:
    """Return where a curve reaches a level between the sample before `after` and that sample."""
    if after == 0 or after == len(share):
        return float(min(after, len(share) - 1))
    below = share[after - 1]
    return after - 1 + float(np.clip((level - below) / max(share[after] - below, FLOOR), 0, 1))
