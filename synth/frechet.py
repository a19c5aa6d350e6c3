"""Fréchet distance between two sets of embeddings, each taken as a Gaussian.

d² = |μ_a - μ_b|² + tr(Σ_a + Σ_b - 2 (Σ_a Σ_b)^½) (Dowson and Landau 1982; for audio: Kilgour et
al., arXiv 1812.08466). The eigenvalues of (Σ_a Σ_b)^½ are the singular values of A Bᵀ, where Σ_a =
Aᵀ A and Σ_b = Bᵀ B: so no root of a matrix is ever taken, and covariances without full rank (fewer
rows than dimensions) are as good as any.
"""

import numpy as np

from files.errors import ParameterError


def frechet_distance(a: np.ndarray, b: np.ndarray) -> float:
    """The squared distance d² of the Gaussians with the means and (unbiased) covariances of two
    sets, as papers report it.

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
    a = _checked("a", a)
    b = _checked("b", b)
    if a.shape[1] != b.shape[1]:
        raise ParameterError(
            f"embeddings of {a.shape[1]} and {b.shape[1]} dimensions cannot be compared; make both"
            " with one model"
        )
    mean_a, factor_a = _gaussian(a)
    mean_b, factor_b = _gaussian(b)
    common = np.linalg.svd(factor_a @ factor_b.T, compute_uv=False).sum()
    distance = (
        ((mean_a - mean_b) ** 2).sum() + (factor_a**2).sum() + (factor_b**2).sum() - 2 * common
    )
    return max(float(distance), 0.0)  # rounding alone can make it negative


def _gaussian(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean (d,) and a factor F (at most d, d) of the covariance Fᵀ F."""
    mean = rows.mean(axis=0)
    return mean, np.asarray(np.linalg.qr((rows - mean) / np.sqrt(len(rows) - 1), mode="r"))


def _checked(name: str, rows: np.ndarray) -> np.ndarray:
    if rows.ndim != 2 or len(rows) < 2 or not rows.shape[1]:
        raise ParameterError(
            f"{name} of shape {rows.shape} must be (n >= 2, d >= 1), one embedding a row; give more"
            " audio"
        )
    if not np.isfinite(rows).all():
        raise ParameterError(f"{name} holds NaN or infinite values; repair the audio it is made of")
    return rows.astype(np.float64)
