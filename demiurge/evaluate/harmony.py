"""Harmony: whether the same pitch classes are heard as in the seed."""

import numpy as np

from audio.chroma import mean_chroma
from demiurge.evaluate.rhythm import correlate


def harmony(audio: np.ndarray, seed: np.ndarray, sample_rate: int) -> float:
    """Return the correlation of the mean chroma with the seed's: 1 for the same key and chords.

    -1 to 1; 0 if either has no pitch class above others. Both are (n_samples,), float32.
    """
    return correlate(mean_chroma(audio, sample_rate), mean_chroma(seed, sample_rate))
