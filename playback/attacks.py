"""Attacks near a boundary, found in the samples a seam may touch, so that no fade lies over one.

    energy of the first difference, in blocks of 0.7 ms  ──►  next 4 ms against last 8 ms  ──►  peaks of 10 dB and more

The first difference weighs high frequencies up, where attacks stand out: the swings of a bass note
are no attack.
"""

import numpy as np

BLOCK_MS = 0.7
# 4 ms are held against the 8 ms before them
AFTER_BLOCKS = 6
BEFORE_BLOCKS = 12
RISE = 10.0  # 10 dB
FLOOR = 1e-8  # mean square of the first difference below which nothing is heard: -80 dB
CONTEXT_MS = (
    AFTER_BLOCKS + BEFORE_BLOCKS
) * BLOCK_MS  # sound needed beyond the positions that matter
DECAY_MS = 6.0  # after an attack before a fade may begin


def bracket(zones: np.ndarray, *, sample_rate: int, pivot: int) -> tuple[np.ndarray, np.ndarray]:
    """The attacks next to a place in each of many short stretches of sound.

    Parameters
    ----------
    zones : ndarray, float32, shape (crossfade, samples, channels)
    pivot : int
        Sample of the place; an attack in the block it lies in counts as after it.

    Returns
    -------
    before, after : ndarray, int64, shape (crossfade,)
        Where the last attack before the pivot has passed, and where the first one from there on
        begins; 0 and the number of samples where there is none.
    """
    block = max(1, round(BLOCK_MS * sample_rate / 1000))
    n_blocks = zones.shape[1] // block
    attacks = _attacks(zones[:, : n_blocks * block], block)
    places = np.arange(attacks.shape[1]) * block + BEFORE_BLOCKS * block  # first sample of the rise
    early = attacks & (places + block <= pivot)
    late = attacks & (places + block > pivot)
    last = attacks.shape[1] - 1 - early[:, ::-1].argmax(axis=1)
    decay = round(DECAY_MS * sample_rate / 1000)
    before = np.where(early.any(axis=1), places[last] + decay, 0)
    after = np.where(late.any(axis=1), places[late.argmax(axis=1)], zones.shape[1])
    return before, after


def _attacks(zones: np.ndarray, block: int) -> np.ndarray:
    """Whether an attack begins in each block that has enough others around it, shape (crossfade,
    blocks).
    """
    rise = np.diff(zones, axis=1, prepend=zones[:, :1])
    blocks = rise.reshape(len(zones), -1, block * zones.shape[2])
    energy = np.einsum("sbi,sbi->sb", blocks, blocks) / (block * zones.shape[2])
    summed = np.cumsum(np.pad(energy, ((0, 0), (1, 0))), axis=1, dtype=np.float64)
    n = summed.shape[1] - AFTER_BLOCKS - BEFORE_BLOCKS
    if n <= 0:
        return np.zeros((len(zones), 1), bool)
    middle = summed[:, BEFORE_BLOCKS : BEFORE_BLOCKS + n]
    before = (middle - summed[:, :n]) / BEFORE_BLOCKS
    after = (summed[:, BEFORE_BLOCKS + AFTER_BLOCKS :] - middle) / AFTER_BLOCKS
    ratio = after / (before + FLOOR)
    highest = np.lib.stride_tricks.sliding_window_view(
        np.pad(ratio, ((0, 0), (AFTER_BLOCKS, AFTER_BLOCKS))), 2 * AFTER_BLOCKS + 1, axis=1
    ).max(axis=2)
    return (ratio == highest) & (ratio > RISE)
