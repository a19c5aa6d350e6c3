"""Mean and standard deviation of each descriptor: the z-scored space where everything is compared.

In raw MFCC, a few large coefficients dominate the distance (0 to 12 make up 96 % of it). In
z-scores, every descriptor counts.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Normaliser:
    """Mean and standard deviation, float32, shape (n_descriptors,).

    A constant descriptor has std 1.
    """

    mean: np.ndarray
    std: np.ndarray

    def apply(self, descriptors: np.ndarray) -> np.ndarray:
        """Return z-scores of raw descriptors, float32, shape (..., n_descriptors)."""
        return (np.asarray(descriptors, np.float32) - self.mean) / self.std

    def invert(self, scores: np.ndarray) -> np.ndarray:
        """Return raw descriptors of z-scores, float32, shape (..., n_descriptors)."""
        return np.asarray(scores, np.float32) * self.std + self.mean


def pool_normalisers(parts: Iterable[tuple[int, Normaliser]]) -> Normaliser:
    """Return the mean and standard deviation of several sets of rows together.

    Parameters
    ----------
    parts : iterable of (number of rows, Normaliser)
        A column that is constant in a part counts there with its std of 1.
    """
    known = list(parts)
    counts = np.array([[n_rows] for n_rows, _ in known], np.float64)
    means = np.array([one.mean for _, one in known], np.float64)
    variances = np.array([one.std for _, one in known], np.float64) ** 2
    shares = counts / counts.sum()
    mean = (shares * means).sum(axis=0)
    variance = (shares * (variances + (means - mean) ** 2)).sum(axis=0)
    return Normaliser(mean.astype(np.float32), np.sqrt(variance).astype(np.float32))


def fit_normaliser(blocks: Iterable[np.ndarray], n_descriptors: int) -> Normaliser:
    """Compute mean and standard deviation over blocks of rows.

    It uses float64 and Chan's parallel update (1979).

    Parameters
    ----------
    blocks : iterable of ndarray, shape (rows, n_descriptors)
    """
    count = 0
    mean = np.zeros(n_descriptors)
    m2 = np.zeros(n_descriptors)
    for block in blocks:
        rows = np.asarray(block, np.float64)
        if not len(rows):
            continue
        block_mean = rows.mean(axis=0)
        shift = block_mean - mean
        total = count + len(rows)
        m2 += ((rows - block_mean) ** 2).sum(axis=0) + shift**2 * count * len(rows) / total
        mean += shift * len(rows) / total
        count = total
    std = np.sqrt(m2 / max(count, 1))
    is_constant = std < 1e-6 * np.maximum(np.abs(mean), 1.0)  # up to rounding
    std[is_constant] = 1.0
    return Normaliser(mean.astype(np.float32), std.astype(np.float32))
