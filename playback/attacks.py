"""Find the attacks around a join, so that no fade lies over one.

energy of the first difference, in blocks of 0.7 ms ──► next 4 ms against last 8 ms
                                                    ──► peaks of 10 dB and more

The first difference emphasises high frequencies, where attacks stand out, so that the swings of a
bass note do not count as attacks.
"""

import numpy as np

BLOCK_MS = 0.7
# 4 ms are compared with the 8 ms before them
AFTER_BLOCKS = 6
BEFORE_BLOCKS = 12
CONTEXT_MS = (AFTER_BLOCKS + BEFORE_BLOCKS) * BLOCK_MS  # sound needed around the places examined
RISE = 10.0  # ratio of energies: 10 dB
FLOOR = 1e-8  # mean square of the first difference below which nothing is audible: -80 dB
DECAY_MS = 6.0  # from an attack until a fade may begin


def bracket(sides: np.ndarray, *, sample_rate: int, pivot: int) -> tuple[np.ndarray, np.ndarray]:
    """Find the attacks on either side of a place in each of many short stretches of sound.

    Parameters
    ----------
    sides : ndarray, float32, shape (joins, samples, channels)
    pivot : int
        Sample of the place; an attack in the block that contains it counts as after it.

    Returns
    -------
    before, after : ndarray, int64, shape (joins,)
        The sample at which the last attack before the pivot is over, and that at which the first
        one from the pivot on begins. If there is none, 0 and the number of samples.
    """
    block = max(1, round(BLOCK_MS * sample_rate / 1000))
    n_blocks = sides.shape[1] // block
    attacks = _find_attacks(sides[:, : n_blocks * block], block)
    places = np.arange(attacks.shape[1]) * block + BEFORE_BLOCKS * block  # first sample of the rise
    early = attacks & (places + block <= pivot)
    late = attacks & (places + block > pivot)
    last = attacks.shape[1] - 1 - early[:, ::-1].argmax(axis=1)
    decay = round(DECAY_MS * sample_rate / 1000)
    before = np.where(early.any(axis=1), places[last] + decay, 0)
    next_one = places[late.argmax(axis=1)]
    after = np.where(late.any(axis=1), next_one, sides.shape[1])
    return before, after


def _find_attacks(sides: np.ndarray, block: int) -> np.ndarray:
    """Return whether an attack begins in each block, bool, shape (joins, blocks).

    Blocks without enough others around them are left out.
    """
    ratio = _energy_ratios(sides, block)
    if ratio is None:
        return np.zeros((len(sides), 1), bool)
    padded = np.zeros((len(ratio), ratio.shape[1] + 2 * AFTER_BLOCKS))
    padded[:, AFTER_BLOCKS:-AFTER_BLOCKS] = ratio
    neighbours = np.lib.stride_tricks.sliding_window_view(padded, 2 * AFTER_BLOCKS + 1, axis=1)
    attacks = ratio > RISE
    rises = np.nonzero(attacks)
    attacks[rises] = ratio[rises] == neighbours[rises].max(axis=1)
    return attacks


def _energy_ratios(sides: np.ndarray, block: int) -> np.ndarray | None:
    """Return the energy after each block's start over that before; None with too few blocks."""
    rise = np.empty_like(sides)
    rise[:, 0] = 0
    np.subtract(sides[:, 1:], sides[:, :-1], out=rise[:, 1:])
    blocks = rise.reshape(len(sides), -1, block * sides.shape[2])
    energy = np.einsum("sbi,sbi->sb", blocks, blocks) / (block * sides.shape[2])
    summed = np.zeros((len(energy), energy.shape[1] + 1))
    np.cumsum(energy, axis=1, dtype=np.float64, out=summed[:, 1:])
    n = summed.shape[1] - AFTER_BLOCKS - BEFORE_BLOCKS
    if n <= 0:
        return None
    middle = summed[:, BEFORE_BLOCKS : BEFORE_BLOCKS + n]
    before = (middle - summed[:, :n]) / BEFORE_BLOCKS
    after = (summed[:, BEFORE_BLOCKS + AFTER_BLOCKS :] - middle) / AFTER_BLOCKS
    return after / (before + FLOOR)
