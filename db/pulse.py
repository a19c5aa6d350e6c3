"""How sure beats are: how alike the music is from beat to beat."""

import numpy as np

from db.novelty import TICKS_PER_SECOND

PARTS = 16  # of a beat, whose novelty is compared
ALIKE_BEATS = 8  # beats that are compared with those before them, together
LAGS = (1, 2, 3, 4)  # beats between those that are compared
LEAST_PULSE = 0.35  # below, there is no pulse
CLEAR_PULSE = 0.5  # where there is a pulse, this is reached
LEAST_BEATS = 4  # that a pulse lasts


def pulse_of(beats: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Return the pulse after each beat, 0 to 1; 0 where there is none.

    It is the correlation of the novelty with that of neighbouring beats. Parts in which it is
    `LEAST_PULSE` at least count if they reach `CLEAR_PULSE` and are not too short.

    Parameters
    ----------
    beats : ndarray, shape (n_beats,), in seconds
    new : ndarray, shape (ticks,)
    """
    from scipy.ndimage import label, maximum

    pulse = np.append(np.minimum(likeness(beats, new), 1.0), 0.0)
    parts, n_parts = label(pulse >= LEAST_PULSE)
    highest = maximum(pulse, parts, np.arange(n_parts + 1))
    counts = np.bincount(parts, minlength=n_parts + 1)
    is_clear = (highest >= CLEAR_PULSE) & (counts >= LEAST_BEATS)
    is_clear[0] = False  # outside of all parts
    return np.where(is_clear[parts], pulse, 0.0)


def likeness(beats: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Return how alike each beat is to its neighbours, -1 to 1, shape (n_beats - 1,)."""
    lengths = np.diff(beats)[:, None]
    times = beats[:-1, None] + lengths * (np.arange(PARTS) / PARTS)
    ticks = np.arange(len(new))
    rows = np.interp(times * TICKS_PER_SECOND, ticks, new, left=0.0, right=0.0)
    power = (rows**2).sum(axis=1)
    best = np.full(len(rows), -1.0)
    for lag in LAGS:
        if lag >= len(rows):
            break
        products = _around_pairs((rows[lag:] * rows[:-lag]).sum(axis=1), lag)
        powers = _around_pairs((power[lag:] + power[:-lag]) / 2, lag)
        best = np.maximum(best, products / np.maximum(powers, 1e-9))
    return best


def _around_pairs(values: np.ndarray, lag: int) -> np.ndarray:
    """Return the mean around each beat of values of pairs of beats that are `lag` apart."""
    from scipy.ndimage import uniform_filter1d

    pairs = np.pad(values, (0, lag)) + np.pad(values, (lag, 0))
    return uniform_filter1d(pairs, ALIKE_BEATS, mode="nearest")
