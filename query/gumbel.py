"""Random variation in the choice of units."""

import numpy as np


def gumbel_noise(seed: int, numbers: np.ndarray) -> np.ndarray:
    """Return Gumbel noise, float64, that depends only on the seed and these numbers.

    Every search of a sequence therefore meets the same noise. The unit with the least
    cost - temperature · noise is drawn with a probability proportional to exp(-cost / temperature)
    (Gumbel 1954). The random numbers are those of SplitMix64 (Steele et al. 2014).
    """
    x = numbers.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(0x9E3779B97F4A7C15)
    # an array, which wraps around without a warning
    x += np.array([seed % 2**32], np.uint64) * np.uint64(0xD1342543DE82EF95)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    uniform = ((x ^ (x >> np.uint64(31))) >> np.uint64(11)).astype(np.float64) + 0.5
    return -np.log(-np.log(uniform / 2**53))
