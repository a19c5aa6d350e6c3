"""Power in the twelve pitch classes, from C, scaled so that the strongest in a frame is 1.

It agrees with librosa.feature.chroma_stft at A = 440 Hz.
"""

from functools import lru_cache

import numpy as np

from audio.chroma_filterbank import chroma_filterbank
from db.descriptors.descriptor import Descriptor
from db.descriptors.frames import Frames


def _measure(frames: Frames) -> np.ndarray:
    settings = frames.settings
    filters = _filterbank(settings.sample_rate, settings.n_fft)
    power = np.einsum("fb,cb->fc", frames.power, filters)
    strongest = power.max(axis=1, keepdims=True)
    is_sound = strongest > np.finfo(np.float32).tiny
    return np.divide(power, strongest, out=np.zeros_like(power), where=is_sound)


_filterbank = lru_cache(maxsize=4)(chroma_filterbank)

DESCRIPTOR = Descriptor(measure=_measure)
