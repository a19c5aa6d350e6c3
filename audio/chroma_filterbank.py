"""The chroma filterbank: how much each bin of a power spectrum counts for each pitch class."""

import numpy as np

CLASSES = 12
A0_HZ = 440.0 / 16  # octaves are counted from this A
A = 9  # its class, from C
OCTAVE_CENTRE = 5.0  # octave above A0 that counts most
OCTAVE_WIDTH = 2.0  # standard deviation, in octaves
BELOW_FIRST = 1.5  # octaves below the first bin at which that of 0 Hz is put


def chroma_filterbank(sample_rate: int, n_fft: int) -> np.ndarray:
    """Return a filter for each pitch class, from C, at A = 440 Hz.

    A bin counts for a class by a normal curve of their distance, which is as wide as half of the
    distance to the next bin, and at least half a semitone; the weights of a bin have the length 1,
    before octaves far from the fifth count less. Source: D. Ellis, Chroma feature analysis and
    synthesis (2007). Equal to `librosa.filters.chroma` with tuning=0 to the last bit.

    Returns
    -------
    ndarray, float32, shape (12, 1 + n_fft // 2)
    """
    frequencies = np.linspace(0, sample_rate, n_fft, endpoint=False)[1:]
    semitones = CLASSES * np.log2(frequencies / A0_HZ)
    semitones = np.concatenate(([semitones[0] - BELOW_FIRST * CLASSES], semitones))
    widths = np.append(np.maximum(np.diff(semitones), 1.0), 1.0)
    distances = semitones - np.arange(CLASSES, dtype=float)[:, None]
    half = CLASSES / 2
    distances = np.remainder(distances + half, CLASSES) - half  # to the nearest one
    weights = np.exp(-0.5 * (2 * distances / widths) ** 2)
    weights /= np.sqrt(np.sum(weights**2, axis=0))
    weights *= np.exp(-0.5 * ((semitones / CLASSES - OCTAVE_CENTRE) / OCTAVE_WIDTH) ** 2)
    from_c = np.roll(weights, A, axis=0)
    return np.ascontiguousarray(from_c[:, : 1 + n_fft // 2], dtype=np.float32)
