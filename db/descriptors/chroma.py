"""Power in the twelve pitch classes, from C, scaled so that the strongest in a frame is 1.

It agrees with librosa.feature.chroma_stft at A = 440 Hz.
"""

from functools import lru_cache

import numpy as np

from audio.librosa_import import import_librosa
from db.descriptors.descriptor import Descriptor
from db.descriptors.frames import Frames


def _measure(frames: Frames) -> np.ndarray:
    settings = frames.settings
    power = np.einsum("fb,cb->fc", frames.power, _filters(settings.sample_rate, settings.n_fft))
    strongest = power.max(axis=1, keepdims=True)
    is_sound = strongest > np.finfo(np.float32).tiny
    return np.divide(power, strongest, out=np.zeros_like(power), where=is_sound)


@lru_cache(maxsize=4)
def _filters(sample_rate: int, n_fft: int) -> np.ndarray:
    """Return the pitch-class filters, shape (12, 1 + n_fft // 2)."""
    filters = import_librosa().filters.chroma(
        sr=sample_rate, n_fft=n_fft, tuning=0.0, dtype=np.float32
    )
    return np.ascontiguousarray(filters)


DESCRIPTOR = Descriptor(measure=_measure)
