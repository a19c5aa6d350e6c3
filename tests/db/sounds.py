"""The bundled sounds, for tests."""

import numpy as np

from audio.read import read_mono
from audio.resample import resample
from demiurge.bundled import CORPUS_DIR

RATE = 44100


def sound(name: str) -> np.ndarray:
    """Return a bundled sound, mono float32 at `RATE`."""
    mono, info = read_mono(CORPUS_DIR / f"{name}.ogg")
    return resample(mono, info.sample_rate, RATE)
