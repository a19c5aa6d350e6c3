"""MFCC, Δ and ΔΔ, as librosa's `feature.mfcc` and `feature.delta` compute them.

mel bands -> dB (80 dB below the loudest of the file at most) -> DCT-II -> + Δ, ΔΔ
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import correlate1d

from db.descriptors.descriptor import Descriptor

if TYPE_CHECKING:
    from db.settings import DescriptorSettings

TOP_DB = 80.0


def _columns(settings: DescriptorSettings) -> tuple[str, ...]:
    """In the original Demiurge's order: static coefficients, then Δ, then ΔΔ."""
    return tuple(f"mfcc{i}" for i in range(3 * settings.n_mfcc))


def _finish(blocks: Iterable[np.ndarray], settings: DescriptorSettings) -> np.ndarray:
    """dB mel blocks (frames, n_mels) -> (all frames, 3 * n_mfcc); within 1e-3 of librosa."""
    floor = max(block.max() for block in blocks) - np.float32(TOP_DB)
    basis = _dct_basis(settings.n_mels, settings.n_mfcc)
    return add_deltas(
        np.concatenate(
            [np.einsum("fm,cm->fc", np.maximum(block, floor), basis) for block in blocks]
        ),
        width=settings.delta_width,
    )


def add_deltas(static: np.ndarray, *, width: int) -> np.ndarray:
    """Append first and second local derivatives (Savitzky-Golay, as librosa.feature.delta with mode
    "interp").

    Parameters
    ----------
    static : ndarray, float32, shape (steps, n)
    width : int, odd, >= 3
        A shorter sequence uses the widest odd width that fits; below 3 steps the derivatives are
        zero.

    Returns
    -------
    ndarray, float32, shape (steps, 3 * n)
    """
    static = np.asarray(static, np.float32)
    steps = len(static)
    width = min(width, steps - 1 + steps % 2)
    if width < 3:
        return np.concatenate([static, np.zeros((steps, 2 * static.shape[1]), np.float32)], axis=1)
    rows = np.empty((steps, 3 * static.shape[1]), np.float32)
    half = width // 2
    n = static.shape[1]
    rows[:, :n] = static
    for columns, weights in zip(
        (rows[:, n : 2 * n], rows[:, 2 * n :]), _derivatives(width), strict=True
    ):
        correlate1d(static, weights, axis=0, output=columns)
        columns[:half] = columns[half]
        columns[steps - half :] = columns[steps - half - 1]
    return rows


@lru_cache(maxsize=16)
def _derivatives(width: int) -> tuple[np.ndarray, np.ndarray]:
    """Weights of `width` neighbours x that give the slope of the line, and the curvature of the
    parabola, fitted to them.

    Both are the same all along the fit: at the ends of a sequence, where the window cannot be
    centred, the first and last whole window's value holds.
    """
    x = np.arange(width) - width // 2
    s2 = (x**2).sum()
    s4 = (x**4).sum()
    return x / s2, 2 * (width * x**2 - s2) / (width * s4 - s2**2)


@lru_cache(maxsize=4)
def _dct_basis(n_mels: int, n_mfcc: int) -> np.ndarray:
    """Orthonormal DCT-II as a matrix, shape (n_mfcc, n_mels)."""
    bands = np.arange(n_mels) + 0.5
    basis = np.cos(np.pi / n_mels * bands * np.arange(n_mfcc)[:, None]) * np.sqrt(2.0 / n_mels)
    basis[0] /= np.sqrt(2.0)
    return basis.astype(np.float32)


DESCRIPTOR = Descriptor(
    columns=_columns,
    measure=lambda frames: frames.mel_db,
    finish=_finish,
    n_static=lambda settings: settings.n_mfcc,
    derive=lambda static, settings: add_deltas(static, width=settings.delta_width),
)
