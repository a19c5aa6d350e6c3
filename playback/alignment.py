"""Where in a seam the two sides agree best: the place of the overlap's middle."""

import numpy as np

WINDOW_MS = 10.0  # of the waveforms that are compared
GRID = 8  # samples
WORTH = 0.1  # of correlation, that moving all the way must gain


def align(
    outgoing: np.ndarray,
    incoming: np.ndarray,
    middle: np.ndarray,
    lowest: np.ndarray,
    highest: np.ndarray,
    *,
    most: float,
    window: float,
) -> np.ndarray:
    """Move the middle of each overlap to where the normalised correlation of the two sides is
    highest.

    Parameters
    ----------
    outgoing, incoming : ndarray, float32, shape (crossfade, 2 * reach, channels)
        As `playback.crossfade.cross` has them; reach is a multiple of `GRID`.
    middle, lowest, highest : ndarray, int64, shape (crossfade,)
        The middles, and between which samples they may lie, counted from the boundary.
    most : float > 0
        Samples by which one may move at most.
    window : float
        Samples that are compared; rounded to an even number of blocks of the grid.

    Returns
    -------
    ndarray, int64, shape (crossfade,)
        The middles; they stay where nothing around them can be compared.
    """
    half = max(1, round(window / (2 * GRID)))  # in blocks of the grid
    sums = [
        _window_sums(a, b, half)
        for a, b in ((outgoing, incoming), (outgoing, outgoing), (incoming, incoming))
    ]
    likeness = sums[0] / np.sqrt(np.maximum(sums[1] * sums[2], 1e-20))
    if not likeness.shape[1]:
        return middle
    places = (np.arange(likeness.shape[1]) + half) * GRID - outgoing.shape[1] // 2
    away = np.abs(places - middle[:, None])
    allowed = (places >= lowest[:, None]) & (places <= highest[:, None]) & (away <= most)
    score = np.where(allowed, likeness - WORTH * np.where(allowed, away, 0) / most, -np.inf)
    return np.where(allowed.any(axis=1), places[score.argmax(axis=1)], middle)


def _window_sums(a: np.ndarray, b: np.ndarray, half: int) -> np.ndarray:
    """Sums of a·b over windows of 2 * half blocks of the grid, one a block."""
    blocks = len(a), -1, GRID * a.shape[2]
    products = np.einsum("sbi,sbi->sb", a.reshape(blocks), b.reshape(blocks))
    summed = np.cumsum(np.pad(products, ((0, 0), (1, 0))), axis=1, dtype=np.float64)
    return summed[:, 2 * half :] - summed[:, : -2 * half]
