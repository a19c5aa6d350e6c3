"""Parts of longer audio, faded at the edges."""

import numpy as np

from audio.pcm import PCM_16_SCALE

FADE_SECONDS = 0.005  # a hard cut would click


def excerpt(samples: np.ndarray, sample_rate: int, *, fade_in: bool) -> np.ndarray:
    """Fade samples out, and in if asked, in place; return them as int16, (n_samples, channels)."""
    n_faded = min(round(FADE_SECONDS * sample_rate), len(samples) // 2)
    rise = np.linspace(0, 1, n_faded, dtype=np.float32)[:, None]
    if fade_in:
        samples[:n_faded] *= rise
    samples[len(samples) - n_faded :] *= rise[::-1]
    scaled = np.rint(samples * PCM_16_SCALE)
    return np.clip(scaled, -PCM_16_SCALE, PCM_16_SCALE - 1).astype(np.int16)
