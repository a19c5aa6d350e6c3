"""Kernel Audio Distance (KAD; Chung et al., arXiv 2502.15602): unbiased MMD² between embeddings.

MMD² = mean k(x, x') + mean k(y, y') - 2 mean k(x, y), with x ≠ x' and y ≠ y' (Gretton et al., JMLR
13, 2012, equation 3), and k(x, y) = exp(-|x - y|² / 2σ²), where σ is the median distance between
two embeddings of the reference set. Unlike the Fréchet distance, it assumes no distribution and is
not biased by the sizes of the sets. Sets of one distribution scatter around 0, to both sides.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from files.errors import ParameterError

SCALE = 1000.0  # times MMD²


@dataclass(frozen=True)
class Kernels:
    """The kernel's values among n rows, among m rows of the reference, and between them.

    `of_rows` (n, n), `of_reference` (m, m), `between` (n, m), float64.
    """

    of_rows: np.ndarray
    of_reference: np.ndarray
    between: np.ndarray

    @classmethod
    def of(cls, rows: np.ndarray, reference: np.ndarray) -> Self:
        """Compare each row with each; the arguments and errors are `kernel_distance`'s."""
        rows = _checked("rows", rows)
        reference = _checked("reference", reference)
        if rows.shape[1] != reference.shape[1]:
            raise ParameterError(
                f"embeddings of {rows.shape[1]} and {reference.shape[1]} dimensions cannot be"
                " compared; make both with one model"
            )
        of_reference = _squared_distances(reference, reference)
        pairs = of_reference[np.triu_indices(len(reference), k=1)]
        variance = float(np.median(np.sqrt(pairs))) ** 2
        if variance == 0:
            raise ParameterError(
                "most embeddings of the reference are equal, so their distances give no bandwidth;"
                " give more varied audio"
            )
        squared = (
            _squared_distances(rows, rows),
            of_reference,
            _squared_distances(rows, reference),
        )
        return cls(*(np.exp(-distances / (2 * variance)) for distances in squared))

    def distance(
        self, counts: np.ndarray | None = None, reference_counts: np.ndarray | None = None
    ) -> float:
        """Return the distance with each row counted as often as stated, by default once.

        A bootstrap draws some rows several times. A row is never compared with itself, so its
        copies do not make the sets seem denser than they are.
        """
        n_rows, n_reference = self.between.shape
        a = np.ones(n_rows) if counts is None else counts.astype(np.float64)
        b = np.ones(n_reference) if reference_counts is None else reference_counts.astype(float)
        between = float(a @ self.between @ b / (a.sum() * b.sum()))
        mmd = _mean_of_pairs(self.of_rows, a) + _mean_of_pairs(self.of_reference, b) - 2 * between
        return SCALE * mmd


def kernel_distance(rows: np.ndarray, reference: np.ndarray) -> float:
    """Return the Kernel Audio Distance of embeddings from those of a reference.

    Parameters
    ----------
    rows : ndarray, shape (n >= 2, d)
    reference : ndarray, shape (m >= 2, d)
        One embedding a row.

    Returns
    -------
    float
        1000 MMD²: at most 2000, around 0 for sets of one distribution, and then as often negative.

    Raises
    ------
    ParameterError
        If the sets have too few rows, differ in dimensions or hold NaN or infinite values, or most
        rows of the reference are equal.
    """
    return Kernels.of(rows, reference).distance()


def _mean_of_pairs(kernel: np.ndarray, counts: np.ndarray) -> float:
    """Return the mean over pairs of different rows, weighted by their counts."""
    weight = counts.sum() ** 2 - (counts**2).sum()
    if weight == 0:  # a single row was drawn
        return 1.0
    return float((counts @ kernel @ counts - counts**2 @ np.diag(kernel)) / weight)


def _squared_distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    squared = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1) - 2 * a @ b.T
    return np.maximum(squared, 0)


def _checked(name: str, rows: np.ndarray) -> np.ndarray:
    if rows.ndim != 2 or len(rows) < 2 or not rows.shape[1]:
        raise ParameterError(
            f"{name} of shape {rows.shape} must be (n >= 2, d >= 1), one embedding a row; give more"
            " audio"
        )
    if not np.isfinite(rows).all():
        raise ParameterError(f"{name} holds NaN or infinite values; repair the audio it is made of")
    return rows.astype(np.float64)
