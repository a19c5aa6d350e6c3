"""MFCC, Δ and ΔΔ, as librosa's `feature.mfcc` and `feature.delta` compute them.

mel bands -> dB (no lower than 80 dB below the file's loudest) -> DCT-II -> + Δ, ΔΔ
"""

from collections.abc import Iterable
from functools import lru_cache

import numpy as np
from scipy.ndimage import correlate1d

from db.descriptors.descriptor import Descriptor
from db.settings import DescriptorSettings

TOP_DB = 80.0


def _finish(blocks: Iterable[np.ndarray], settings: DescriptorSettings) -> np.ndarray:
    """Turn dB mel blocks (frames, n_mels) into MFCC (all frames, 3 * n_mfcc).

    It agrees with librosa to within 1e-3.
    """
    floor = max(block.max() for block in blocks) - np.float32(TOP_DB)
    basis = _dct_basis(settings.n_mels, settings.n_mfcc)
    static = [np.einsum("fm,cm->fc", np.maximum(block, floor), basis) for block in blocks]
    return add_deltas(np.concatenate(static), width=settings.delta_width)


def add_deltas(static: np.ndarray, *, width: int) -> np.ndarray:
    """Append first and second local derivatives.

    They are Savitzky-Golay filters, as in librosa.feature.delta with mode "interp".

    Parameters
    ----------
    static : ndarray, float32, shape (steps, n)
    width : int, odd, >= 3
        A shorter sequence uses the widest odd width that fits; with fewer than 3 steps the
        derivatives are zero.

    Returns
    -------
    ndarray, float32, shape (steps, 3 * n)
    """
    static = np.asarray(static, np.float32)
    steps, n = static.shape
    width = min(width, steps - 1 + steps % 2)
    if width < 3:
        return np.concatenate([static, np.zeros((steps, 2 * n), np.float32)], axis=1)
    rows = np.empty((steps, 3 * n), np.float32)
    rows[:, :n] = static
    slope, curvature = _derivative_weights(width)
    _differentiate(static, slope, out=rows[:, n : 2 * n])
    _differentiate(static, curvature, out=rows[:, 2 * n :])
    return rows


def _differentiate(static: np.ndarray, weights: np.ndarray, *, out: np.ndarray) -> None:
    """Weight each step's neighbours; the ends take the value of the nearest whole window."""
    half = len(weights) // 2
    steps = len(static)
    correlate1d(static, weights, axis=0, output=out)
    out[:half] = out[half]
    out[steps - half :] = out[steps - half - 1]


@lru_cache(maxsize=16)
def _derivative_weights(width: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the weights that fit a line and a parabola to `width` neighbours.

    They give the slope of the line and the curvature of the parabola. Both are constant along the
    fit, so they also hold for the ends of a sequence, where no window can be centred.
    """
    x = np.arange(width) - width // 2
    s2 = (x**2).sum()
    s4 = (x**4).sum()
    return x / s2, 2 * (width * x**2 - s2) / (width * s4 - s2**2)


@lru_cache(maxsize=4)
def _dct_basis(n_mels: int, n_mfcc: int) -> np.ndarray:
    """Return the orthonormal DCT-II as a matrix, shape (n_mfcc, n_mels)."""
    bands = np.arange(n_mels) + 0.5
    basis = np.cos(np.pi / n_mels * bands * np.arange(n_mfcc)[:, None]) * np.sqrt(2.0 / n_mels)
    basis[0] /= np.sqrt(2.0)
    return basis.astype(np.float32)


def _derive(static: np.ndarray, settings: DescriptorSettings) -> np.ndarray:
    return add_deltas(static, width=settings.delta_width)


DESCRIPTOR = Descriptor(measure=lambda frames: frames.mel_db, finish=_finish, derive=_derive)
