"""Find the attacks in a sound, apart from the way that playback finds them."""

import numpy as np

BLOCK_S = 0.0005
AFTER = 16  # blocks
BEFORE = 32
APART = 60
FLOOR = 1e-7  # energy of the first difference


def find_rises(samples: np.ndarray, sample_rate: int, *, ratio: float) -> np.ndarray:
    """Return the times in s at which the energy of the next 8 ms most exceeds the last 16 ms.

    The first difference is taken, as drums rise most at high frequencies.
    """
    block = round(BLOCK_S * sample_rate)
    change = np.diff(samples, prepend=samples[:1])
    n = len(change) // block
    energy = (change[: n * block].reshape(n, block) ** 2).mean(axis=1)
    summed = np.concatenate([[0], np.cumsum(energy)])
    at = np.arange(BEFORE, n - AFTER)
    after = (summed[at + AFTER] - summed[at]) / AFTER
    before = (summed[at] - summed[at - BEFORE]) / BEFORE
    rise = after / (before + FLOOR)
    around = np.lib.stride_tricks.sliding_window_view(np.pad(rise, APART), 2 * APART + 1)
    return at[(rise == around.max(axis=1)) & (rise > ratio)] * block / sample_rate
