"""Fréchet distance of two Gaussians, or of Gaussians fitted to two sets of embeddings.

d² = |μ_a - μ_b|² + tr(Σ_a + Σ_b - 2 (Σ_a Σ_b)^½) (Dowson and Landau 1982; for audio: Kilgour et
al., arXiv 1812.08466). The eigenvalues of (Σ_a Σ_b)^½ are the singular values of A Bᵀ, where Σ_a =
Aᵀ A and Σ_b = Bᵀ B. So no matrix square root is needed, and covariances without full rank (fewer
rows than dimensions) work as well.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from training.embeddings import checked_rows


@dataclass(frozen=True)
class Gaussian:
    """Mean (d,) and a factor F, (k, d), of the covariance Fᵀ F."""

    mean: np.ndarray
    factor: np.ndarray

    @classmethod
    def of_rows(cls, rows: np.ndarray) -> Self:
        """Fit to rows (n, d), with the unbiased covariance, as papers report it."""
        mean = rows.mean(axis=0)
        centred = (rows - mean) / np.sqrt(len(rows) - 1)
        return cls(mean, np.asarray(np.linalg.qr(centred, mode="r")))

    @classmethod
    def of_counted_rows(cls, rows: np.ndarray, counts: np.ndarray) -> Self:
        """Fit to rows (n, d), each taken as often as `counts`, (n,), says."""
        is_drawn = counts > 0
        rows = rows[is_drawn]
        counts = counts[is_drawn]
        mean = counts @ rows / counts.sum()
        centred = np.sqrt(counts / (counts.sum() - 1))[:, None] * (rows - mean)
        return cls(mean, np.asarray(np.linalg.qr(centred, mode="r")))

    @classmethod
    def of_moments(cls, mean: np.ndarray, covariance: np.ndarray) -> Self:
        """Take a mean (d,) and a covariance (d, d)."""
        values, vectors = np.linalg.eigh(covariance)
        return cls(mean, np.sqrt(np.maximum(values, 0))[:, None] * vectors.T)


def gaussian_distance(a: Gaussian, b: Gaussian) -> float:
    """Return the squared Fréchet distance d² of two Gaussians."""
    common = np.linalg.svd(a.factor @ b.factor.T, compute_uv=False).sum()
    of_means = ((a.mean - b.mean) ** 2).sum()
    distance = of_means + (a.factor**2).sum() + (b.factor**2).sum() - 2 * common
    return max(float(distance), 0.0)  # rounding alone can make it negative


def frechet_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Return the squared Fréchet distance of two sets of embeddings.

    Parameters
    ----------
    a : ndarray, shape (n, d), n >= 2
    b : ndarray, shape (m, d), m >= 2
        One embedding a row. With few rows the distance is biased upwards: compare only numbers from
        equally large sets.

    Raises
    ------
    ParameterError
        If the sets have too few rows, differ in dimensions or hold NaN or infinite values.
    """
    a, b = checked_rows(a=a, b=b)
    return gaussian_distance(Gaussian.of_rows(a), Gaussian.of_rows(b))
