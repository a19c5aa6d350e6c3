"""The mel filterbank: bands of a power spectrum that are equally wide to the ear."""

import numpy as np

LINEAR_STEP_HZ = 200.0 / 3.0  # Hz per mel below the corner
CORNER_HZ = 1000.0
CORNER_MEL = CORNER_HZ / LINEAR_STEP_HZ
LOG_STEP = np.log(6.4) / 27.0  # above the corner, 27 mels for each factor of 6.4


def mel_filterbank(
    sample_rate: int,
    n_fft: int,
    n_mels: int,
    *,
    f_min: float = 0.0,
    f_max: float | None = None,
    triangle_dtype: type[np.floating] = np.float32,
) -> np.ndarray:
    """Return triangular filters of unit area, equally spaced on Slaney's mel scale.

    Source: M. Slaney, Auditory Toolbox (1998). Equal to `librosa.filters.mel` with htk=False and
    norm="slaney", to the last bit unless `triangle_dtype` is float64.

    Parameters
    ----------
    f_min, f_max : float
        Lowest and highest frequency in Hz; by default 0 and half of the sample rate.
    triangle_dtype : type
        librosa rounds the triangles to float32 before it scales them to unit area. With float64
        they are rounded once, at the end; databases use these filters.

    Returns
    -------
    ndarray, float32, shape (n_mels, 1 + n_fft // 2)
    """
    highest = sample_rate / 2 if f_max is None else f_max
    mels = np.linspace(hz_to_mel(f_min), hz_to_mel(highest), n_mels + 2)
    edges = mel_to_hz(mels)
    bins = np.fft.rfftfreq(n_fft, 1.0 / sample_rate)
    rise = (bins - edges[:-2, None]) / np.diff(edges)[:-1, None]
    fall = (edges[2:, None] - bins) / np.diff(edges)[1:, None]
    triangles = np.maximum(0.0, np.minimum(rise, fall))
    heights = 2.0 / (edges[2:] - edges[:-2])
    return (triangles.astype(triangle_dtype) * heights[:, None]).astype(np.float32)


def hz_to_mel(hz: float) -> float:
    """Convert Hz to Slaney's mel scale: linear up to 1 kHz, logarithmic above."""
    if hz < CORNER_HZ:
        return hz / LINEAR_STEP_HZ
    return CORNER_MEL + np.log(hz / CORNER_HZ) / LOG_STEP


def mel_to_hz(mels: np.ndarray) -> np.ndarray:
    """Convert an array of mels to Hz, the inverse of `hz_to_mel`."""
    linear = mels * LINEAR_STEP_HZ
    logarithmic = CORNER_HZ * np.exp(LOG_STEP * (mels - CORNER_MEL))
    return np.where(mels < CORNER_MEL, linear, logarithmic)
