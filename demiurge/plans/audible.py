"""Which steps and units can be heard: silence must not say what the range of a sound is."""

import numpy as np

AUDIBLE_DB = 30.0  # below the loudest of the sound: hardly heard beside it
LEAST_LUFS = -70.0  # the absolute gate of BS.1770


def is_audible(levels: np.ndarray, source: np.ndarray | None = None) -> np.ndarray:
    """Return whether each level is near the loudest of its source, bool, (n,).

    Parameters
    ----------
    levels : ndarray, shape (n,)
        In LUFS.
    source : ndarray, int64, shape (n,), optional
        The number of the source of each, ascending; by default all are of one.
    """
    if not len(levels):
        return np.zeros(0, bool)
    starts = [0] if source is None else [0, *(np.flatnonzero(np.diff(source)) + 1)]
    loudest = np.maximum.reduceat(levels, starts)
    loudest = np.repeat(loudest, np.diff([*starts, len(levels)]))
    return (levels > loudest - AUDIBLE_DB) & (levels > LEAST_LUFS)
