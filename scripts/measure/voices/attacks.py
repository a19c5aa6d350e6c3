"""Attacks of a mosaic compared with those of its target.

envelope   RMS of the first difference under a Hann window of 1 ms. The first difference emphasises
           high frequencies, where attacks stand out from the swings of a bass note
attack     an onset of the target (`audio.onsets`) where the envelope rises by 10 dB or more
rise       from 10 to 90 % of the way from the envelope's least value in the 50 ms before its peak
           to that peak; the peak is the largest value within 30 ms of the onset
kept       the mosaic has an onset within 25 ms, too

               peak within ±30 ms of the onset
    90 % ─ ─ ─╱▔╲
    10 % ─ ─ ╱   ╲__
    least __╱ rise: time between the crossings
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import convolve1d

from audio.onsets import find_onsets

ENVELOPE_S = 0.001
NEAR_S = 0.03  # of the onset, whose time is known to about 10 ms
BEFORE_S = 0.05  # of the peak
KEPT_S = 0.025
LEAST_RISE = 10**0.5  # ratio of amplitudes: 10 dB
FLOOR = 1e-6
CLOSE_MS = 2.0


@dataclass(frozen=True)
class AttackFigures:
    """The attacks of one mosaic.

    Attributes
    ----------
    kept : ndarray, bool, shape (attacks,)
    target_ms, result_ms : ndarray, float64, shape (attacks,): rise times
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
    envelopes = [envelope(target, rate), envelope(result, rate)]
    onsets = find_onsets(target, rate)
    found = find_onsets(result, rate)
    rises = np.array([[rise_ms(sound, onset, rate) for sound in envelopes] for onset in onsets])
    rises = rises.reshape(-1, 2)
    strong = np.array([attack_ratio(envelopes[0], onset, rate) for onset in onsets]) >= LEAST_RISE
    apart = np.abs(onsets[:, None] - found[None]).min(axis=1, initial=np.inf)
    return AttackFigures(apart[strong] <= KEPT_S, *rises[strong].T)


def envelope(sound: np.ndarray, rate: int) -> np.ndarray:
    """Return the envelope of a sound (n,), float64, of as many values."""
    window = np.hanning(round(ENVELOPE_S * rate) + 2)
    steps = np.diff(sound.astype(np.float64), prepend=sound[:1])
    return np.sqrt(np.maximum(convolve1d(steps**2, window / window.sum(), mode="constant"), 0))


def rise_ms(amplitude: np.ndarray, onset: float, rate: int) -> float:
    """Return the rise time at an onset, in ms, from an envelope (n,); NaN where nothing rises."""
    rising = to_peak(amplitude, onset, rate)
    low = rising[0]
    if rising[-1] - low <= FLOOR:
        return np.nan
    share = (rising - low) / (rising[-1] - low)
    end = int(np.argmax(share >= 0.9))
    start = end - int(np.argmax(share[end::-1] <= 0.1))
    return (crossing(share, end, 0.9) - crossing(share, start + 1, 0.1)) / rate * 1000


def crossing(share: np.ndarray, after: int, level: float) -> float:
    """Return where a curve reaches a level between the sample before `after` and that sample."""
    if after == 0 or after == len(share):
        return float(min(after, len(share) - 1))
    below = share[after - 1]
    return after - 1 + float(np.clip((level - below) / max(share[after] - below, FLOOR), 0, 1))


def attack_ratio(amplitude: np.ndarray, onset: float, rate: int) -> float:
    """Return the peak of an envelope near an onset over its least value before."""
    rising = to_peak(amplitude, onset, rate)
    return float(rising[-1] / (rising[0] + FLOOR))


def to_peak(amplitude: np.ndarray, onset: float, rate: int) -> np.ndarray:
    """Return the envelope from its least value before an attack's peak up to that peak."""
    at = round(onset * rate)
    near = round(NEAR_S * rate)
    first = max(0, at - near)
    peak = first + int(amplitude[first : at + near].argmax())
    begin = max(0, peak - round(BEFORE_S * rate))
    least = begin + int(amplitude[begin : peak + 1].argmin())
    return amplitude[least : peak + 1]
