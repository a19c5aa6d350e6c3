"""Random variation in the choice of units."""

import numpy as np

# of SplitMix64
GAMMA = np.uint64(0x9E3779B97F4A7C15)
MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
MIX_2 = np.uint64(0x94D049BB133111EB)
SEED = 0xD1342543DE82EF95  # spreads seeds


def gumbel_noise(seed: int, numbers: np.ndarray) -> np.ndarray:
    """Return Gumbel noise, float64, that depends only on the seed and these numbers.

    Every search of a sequence therefore meets the same noise. The unit with the least
    cost - temperature · noise is drawn with a probability proportional to exp(-cost / temperature)
    (Gumbel 1954). The random numbers are those of SplitMix64 (Steele et al. 2014).
    """
    x = numbers.astype(np.uint64)
    x *= GAMMA
    x += np.uint64((0x9E3779B97F4A7C15 + seed % 2**32 * SEED) % 2**64)
    x ^= x >> np.uint64(30)
    x *= MIX_1
    x ^= x >> np.uint64(27)
    x *= MIX_2
    x ^= x >> np.uint64(31)
    x >>= np.uint64(11)
    uniform = x.astype(np.float64)
    uniform += 0.5
    uniform /= 2**53
    return -np.log(-np.log(uniform))
