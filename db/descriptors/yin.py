"""Fundamental frequency by YIN: A. de Cheveigné, H. Kawahara, JASA 111(4), 2002."""

import numpy as np
from scipy.fft import irfft, rfft

MAX_F0 = 2000.0  # Hz
# the first dip of the normalised difference below this is the period; without one, the deepest dip
# below twice this; without either, there is no pitch
APERIODICITY = 0.15
SILENCE = 1e-4  # rms below which there is no pitch, -80 dB


def find_pitch(samples: np.ndarray, rms: np.ndarray, sample_rate: int) -> np.ndarray:
    """Return the fundamental frequency of each frame in Hz; 0 where there is none.

    Parameters
    ----------
    samples : ndarray, float32, shape (frames, n_fft)
        The lowest pitch is sample_rate / (n_fft / 2).
    rms : ndarray, shape (frames,)

    Returns
    -------
    ndarray, float32, shape (frames,)
    """
    half = samples.shape[1] // 2
    pitch = np.zeros(len(samples), np.float32)
    loud = np.flatnonzero(rms > SILENCE)
    shortest = int(sample_rate / MAX_F0)
    if not len(loud) or half < shortest + 3:
        return pitch
    normalised = _normalise(_difference(samples[loud]))
    lag, is_periodic = _first_dip(normalised, shortest)
    period = lag + _parabola_shift(normalised, lag)
    pitch[loud] = np.where(is_periodic, sample_rate / period, 0)
    return pitch


def _difference(frames: np.ndarray) -> np.ndarray:
    """Return d(τ) = Σ (x[j] - x[j+τ])² over the first half of each frame (eq. 6).

    Shape (frames, n_fft) -> (frames, n_fft // 2), float64.
    """
    n = frames.shape[1]
    half = n // 2
    spectrum = np.conj(rfft(frames[:, :half], n, axis=1))
    spectrum *= rfft(frames, axis=1)
    products = irfft(spectrum, n, axis=1, overwrite_x=True)[:, :half]  # Σ x[j] x[j+τ]
    squares = np.square(frames, dtype=np.float64)
    # Σ x[j+τ]² - Σ x[j]²
    energies = np.cumsum(squares[:, half : 2 * half] - squares[:, :half], axis=1)
    energies = np.concatenate([np.zeros((len(frames), 1)), energies[:, :-1]], axis=1)
    difference = energies + 2 * squares[:, :half].sum(axis=1, keepdims=True)
    difference -= 2 * products
    return np.maximum(difference, 0, out=difference)


def _normalise(difference: np.ndarray) -> np.ndarray:
    """Divide the difference function by its running mean (eq. 8)."""
    mean = np.cumsum(difference[:, 1:], axis=1)
    mean /= np.arange(1, difference.shape[1])
    normalised = np.ones_like(difference)
    np.divide(difference[:, 1:], mean, out=normalised[:, 1:], where=mean > 0)
    return normalised


def _first_dip(normalised: np.ndarray, shortest: int) -> tuple[np.ndarray, np.ndarray]:
    """Find each frame's period: the first dip below the threshold, else the deepest of the others.

    Returns
    -------
    lag : ndarray, int64, shape (frames,)
        In samples, at least `shortest`.
    is_periodic : ndarray, bool, shape (frames,)
        True if there is such a dip.
    """
    inside = normalised[:, 1:-1]
    dips = (inside <= normalised[:, :-2]) & (inside < normalised[:, 2:])
    dips[:, : shortest - 1] = False
    below = dips & (inside < APERIODICITY)
    others = np.where(dips & (inside < 2 * APERIODICITY), inside, np.inf)
    has_dip = below.any(axis=1)
    lag = np.where(has_dip, below.argmax(axis=1), others.argmin(axis=1)) + 1
    return lag, has_dip | np.isfinite(others.min(axis=1))


def _parabola_shift(normalised: np.ndarray, lag: np.ndarray) -> np.ndarray:
    """Return the offset, in samples, from each dip to the bottom of a parabola fitted to it."""
    rows = np.arange(len(lag))
    before, here, after = (normalised[rows, lag + i] for i in (-1, 0, 1))
    curvature = before - 2 * here + after
    return np.divide(before - after, 2 * curvature, out=np.zeros_like(here), where=curvature > 0)
