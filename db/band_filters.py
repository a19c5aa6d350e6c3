"""The bands of a spectrum that voices are fitted to.

    |X|, bins   | | | | | | | | | | | | | | | | | |
    bands       ^ ^ ^ ^ ^  ^  ^   ^    ^     ^        one bin apart, then wider and wider

A band is a triangle from the centre before it to the centre after it, so that the triangles of all
bands add up to 1 at every bin, and the bands of a frame to the sum of its spectrum.
"""

from functools import lru_cache

import numpy as np
from scipy.sparse import csr_array

LINEAR_BINS = 65  # centres one bin apart: up to 1.4 kHz at 44.1 kHz and n_fft 2048
PER_OCTAVE = 27  # above them
HIGHEST = 16_000.0  # Hz; the last band holds all that is above
FORMULA = f"{LINEAR_BINS} linear, {PER_OCTAVE} per octave to {HIGHEST:g} Hz, version 1"


@lru_cache(maxsize=4)
def band_centres(sample_rate: int, n_fft: int) -> np.ndarray:
    """Return the centre of each band in Hz, float64, shape (n_bands,)."""
    bin_hz = sample_rate / n_fft
    top = min(HIGHEST / bin_hz, n_fft // 2)  # in bins
    centres = [float(centre) for centre in range(min(LINEAR_BINS, int(top)) + 1)]
    while (following := max(centres[-1] * 2 ** (1 / PER_OCTAVE), centres[-1] + 1)) <= top:
        centres.append(following)
    return np.array(centres) * bin_hz


@lru_cache(maxsize=4)
def band_filters(sample_rate: int, n_fft: int) -> csr_array:
    """Return the weights of each bin in each band, float32, shape (n_bands, 1 + n_fft // 2)."""
    centres = band_centres(sample_rate, n_fft) * n_fft / sample_rate  # in bins
    bins = np.arange(1 + n_fft // 2)
    identity = np.eye(len(centres))
    weights = [np.interp(bins, centres, band) for band in identity]
    return csr_array(np.array(weights, np.float32))
