"""Convert float32 samples to 24-bit or 16-bit integers."""

import numpy as np

# libsndfile divides by these when it reads, but multiplies by one less when it writes, so we
# convert here
PCM_16_SCALE = 2.0**15
PCM_24_SCALE = 2.0**23


def pcm_24(block: np.ndarray) -> np.ndarray:
    """Convert float32 to int32, with the sample in the upper 24 bits.

    24-bit samples are exact, as float32 has 24 bits; 1 becomes the largest value, 1 - 2⁻²³.
    """
    steps = np.rint(block * np.float32(PCM_24_SCALE))
    return np.clip(steps, -PCM_24_SCALE, PCM_24_SCALE - 1, out=steps).astype(np.int32) << 8


def pcm_16(block: np.ndarray, dither: np.random.Generator) -> np.ndarray:
    """Convert float32 to int16, with triangular dither of ±1 step where a sample lies between two.

    1 becomes 1 - 2⁻¹⁵.
    """
    exact = block.astype(np.float64) * PCM_16_SCALE
    noise = dither.random((*block.shape, 2)).sum(axis=-1) - 1
    steps = np.where(exact == np.rint(exact), exact, np.rint(exact + noise))
    return np.clip(steps, -PCM_16_SCALE, PCM_16_SCALE - 1).astype(np.int16)
