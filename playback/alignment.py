"""Move each overlap to the place where its two sides agree best."""

import numpy as np

WINDOW_MS = 10.0  # length of the waveforms that are compared
GRID = 8  # samples
WORTH = 0.1  # gain in correlation that justifies the largest move


def align(
    outgoing: np.ndarray,
    incoming: np.ndarray,
    middle: np.ndarray,
    lowest: np.ndarray,
    highest: np.ndarray,
    *,
    max_move: float,
    window: float,
) -> np.ndarray:
    """Move the middle of each overlap to where the normalised correlation is highest.

    Parameters
    ----------
    outgoing, incoming : ndarray, float32, shape (joins, 2 * reach, channels)
        As in `playback.crossfade.cross`; reach is a multiple of `GRID`.
    middle, lowest, highest : ndarray, int64, shape (joins,)
        The middles, and the range in which each may lie, in samples from the join.
    max_move : float > 0
        Samples by which a middle may move.
    window : float
        Length of the stretches that are compared, in samples; rounded to an even number of blocks
        of the grid.

    Returns
    -------
    ndarray, int64, shape (joins,)
        The new middles; unchanged where there is nothing to compare.
    """
    half = max(1, round(window / (2 * GRID)))  # in blocks of the grid
    ab = _window_sums(outgoing, incoming, half)
    aa = _window_sums(outgoing, outgoing, half)
    bb = _window_sums(incoming, incoming, half)
    likeness = ab / np.sqrt(np.maximum(aa * bb, 1e-20))
    if not likeness.shape[1]:
        return middle
    places = (np.arange(likeness.shape[1]) + half) * GRID - outgoing.shape[1] // 2
    away = np.abs(places - middle[:, None])
    is_inside = (places >= lowest[:, None]) & (places <= highest[:, None])
    allowed = is_inside & (away <= max_move)
    cost = WORTH * np.where(allowed, away, 0) / max_move
    score = np.where(allowed, likeness - cost, -np.inf)
    return np.where(allowed.any(axis=1), places[score.argmax(axis=1)], middle)


def _window_sums(a: np.ndarray, b: np.ndarray, half: int) -> np.ndarray:
    """Return the sum of a·b over a window of 2 * half blocks of the grid, for each block."""
    blocks = len(a), -1, GRID * a.shape[2]
    products = np.einsum("sbi,sbi->sb", a.reshape(blocks), b.reshape(blocks))
    summed = np.zeros((len(products), products.shape[1] + 1))
    np.cumsum(products, axis=1, dtype=np.float64, out=summed[:, 1:])
    return summed[:, 2 * half :] - summed[:, : -2 * half]
