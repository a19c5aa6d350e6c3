"""Power in the twelve pitch classes, C first, the strongest of a frame at 1; as
librosa.feature.chroma_stft at A = 440 Hz.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from audio.librosa_import import import_librosa
from db.descriptors.descriptor import Descriptor
from db.descriptors.frames import Frames


def _measure(frames: Frames) -> np.ndarray:
    settings = frames.settings
    power = np.einsum("fb,cb->fc", frames.power, _filters(settings.sample_rate, settings.n_fft))
    strongest = power.max(axis=1, keepdims=True)
    return np.divide(
        power, strongest, out=np.zeros_like(power), where=strongest > np.finfo(np.float32).tiny
    )


@lru_cache(maxsize=4)
def _filters(sample_rate: int, n_fft: int) -> np.ndarray:
    """Pitch-class filters, shape (12, 1 + n_fft // 2)."""
    filters = import_librosa().filters.chroma(
        sr=sample_rate, n_fft=n_fft, tuning=0.0, dtype=np.float32
    )
    return np.ascontiguousarray(filters)


DESCRIPTOR = Descriptor(
    columns=lambda settings: tuple(f"chroma{i}" for i in range(12)), measure=_measure
)
