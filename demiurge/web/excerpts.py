"""A part of a sound, to be heard by itself."""

import numpy as np

from audio.write import PCM_16_SCALE

FADE_SECONDS = 0.005  # cut off, it would click


def excerpt(samples: np.ndarray, sample_rate: int, *, fade_in: bool) -> np.ndarray:
    """float32 -> int16, (n_samples, channels), faded out at the end, and in at the beginning if
    sound was before it.
    """
    faded = min(round(FADE_SECONDS * sample_rate), len(samples) // 2)
    rise = np.linspace(0, 1, faded, dtype=np.float32)[:, None]
    if fade_in:
        samples[:faded] *= rise
    samples[len(samples) - faded :] *= rise[::-1]
    return np.clip(np.rint(samples * PCM_16_SCALE), -PCM_16_SCALE, PCM_16_SCALE - 1).astype(
        np.int16
    )
