"""Loudness of each frame in LUFS.

ITU-R BS.1770-5's K-weighted mean square of the mono mix, without its gating:

    loudness = -0.691 + 10 log10( mean of the squared, Hann-windowed, K-weighted frame )

with a floor of -70. The weighting is applied to the power spectrum. A full-scale sine of 997 Hz
measures -3.01 LUFS.
"""

from functools import lru_cache

import numpy as np

from audio.loudness import k_weighted_bins
from db.descriptors.descriptor import Descriptor
from db.descriptors.frames import Frames, hann

FLOOR = -70.0  # LUFS, BS.1770's absolute gate


def _measure(frames: Frames) -> np.ndarray:
    settings = frames.settings
    mean_square = np.einsum("fb,b->f", frames.power, _weights(settings.sample_rate, settings.n_fft))
    loudness = -0.691 + 10 * np.log10(np.maximum(mean_square, 1e-12))
    return np.maximum(loudness, FLOOR)[:, None].astype(np.float32)


@lru_cache(maxsize=4)
def _weights(sample_rate: int, n_fft: int) -> np.ndarray:
    """Return weights for |FFT|² of a Hann-windowed frame; shape (1 + n_fft // 2,).

    By Parseval's theorem, the weighted sum is the frame's K-weighted mean square.
    """
    window_energy = n_fft * (hann(n_fft).astype(np.float64) ** 2).sum()
    return (k_weighted_bins(sample_rate, n_fft) / window_energy).astype(np.float32)


DESCRIPTOR = Descriptor(measure=_measure)
