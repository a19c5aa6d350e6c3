"""How sure beats are: how alike the music is from beat to beat."""

import numpy as np
from scipy.ndimage import uniform_filter1d

from db.novelty import TICKS_PER_SECOND

PARTS = 16  # of a beat, whose novelty is compared
ALIKE_BEATS = 8  # beats that are compared with those before them, together
LAGS = (1, 2, 4)  # beats between those that are compared
LEAST_PULSE = 0.35  # below, there is no pulse


def pulse_of(beats: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Return the pulse after each beat, 0 to 1; 0 where it is less than `LEAST_PULSE`.

    It is the correlation of the novelty with that of the beats before.

    Parameters
    ----------
    beats : ndarray, shape (n_beats,), in seconds
    new : ndarray, shape (ticks,)
    """
    alike = likeness(beats, new)
    pulse = np.append(alike, 0.0)
    return np.where(pulse >= LEAST_PULSE, np.minimum(pulse, 1.0), 0.0)


def likeness(beats: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Return how alike each beat is to its neighbours, -1 to 1, shape (n_beats - 1,)."""
    lengths = np.diff(beats)[:, None]
    times = beats[:-1, None] + lengths * (np.arange(PARTS) / PARTS)
    ticks = np.arange(len(new))
    rows = np.interp(times * TICKS_PER_SECOND, ticks, new, left=0.0, right=0.0)
    power = _around((rows**2).sum(axis=1))
    best = np.full(len(rows), -1.0)
    for lag in LAGS:
        if lag >= len(rows):
            break
        product = (rows[lag:] * rows[:-lag]).sum(axis=1)
        forward = np.append(product, np.zeros(lag))
        backward = np.concatenate([np.zeros(lag), product])
        both = _around(forward + backward) / 2
        best = np.maximum(best, both / np.maximum(power, 1e-9))
    return best


def _around(values: np.ndarray) -> np.ndarray:
    return uniform_filter1d(values, ALIKE_BEATS, mode="nearest")
