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
from training.embeddings import checked_rows

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
        rows, reference = checked_rows(rows=rows, reference=reference)
        of_reference = squared_distances(reference, reference)
        pairs = of_reference[np.triu_indices(len(reference), k=1)]
        variance = float(np.median(np.sqrt(pairs))) ** 2
        if variance == 0:
            raise ParameterError(
                "most embeddings of the reference are equal, so their distances give no bandwidth;"
                " give more varied audio"
            )
        squared = (
            squared_distances(rows, rows),
            of_reference,
            squared_distances(rows, reference),
        )
        return cls(*(np.exp(-distances / (2 * variance)) for distances in squared))

    def distance(self) -> float:
        """Return the distance of the rows from the reference."""
        everything = np.zeros(len(self.of_rows), np.int64)
        of_reference = np.zeros(len(self.of_reference), np.int64)
        return self.by_group(everything, of_reference).distance(np.ones(1))

    def by_group(
        self, groups: np.ndarray, reference_groups: np.ndarray, *, paired: bool = False
    ) -> "GroupedKernels":
        """Sum the kernel over pairs of groups, for the distances of resampled groups.

        `groups` (n,) and `reference_groups` (m,) are the numbers, from 0, of each row's group. If
        they are `paired`, each row is made of the same row of the reference, as a copy is of its
        original. Then the two are not compared (Gretton et al., equation 4): else a set of copies
        would seem nearer than other sets of the same distribution.
        """
        n_groups = int(max(groups.max(), reference_groups.max())) + 1
        ours = np.eye(n_groups)[groups]  # (n, n_groups)
        theirs = np.eye(n_groups)[reference_groups]
        between = _without_diagonal(self.between) if paired else self.between
        n_paired = ours.sum(axis=0) if paired else np.zeros(n_groups)
        return GroupedKernels(
            _PairSums.of(_without_diagonal(self.of_rows), ours, ours, n_same=ours.sum(axis=0)),
            _PairSums.of(
                _without_diagonal(self.of_reference), theirs, theirs, n_same=theirs.sum(axis=0)
            ),
            _PairSums.of(between, ours, theirs, n_same=n_paired),
        )


@dataclass(frozen=True)
class _PairSums:
    """The kernel's sum over all pairs of rows of two groups, and their number; (g, g) each."""

    sums: np.ndarray
    pairs: np.ndarray

    @classmethod
    def of(cls, kernel: np.ndarray, a: np.ndarray, b: np.ndarray, *, n_same: np.ndarray) -> Self:
        """Sum over the members `a` and `b` of groups; `n_same` pairs are of a row with itself."""
        pairs = np.outer(a.sum(axis=0), b.sum(axis=0)) - np.diag(n_same)
        return cls(a.T @ kernel @ b, pairs)

    def mean(self, weights: np.ndarray) -> float:
        total = (weights * self.pairs).sum()
        return float((weights * self.sums).sum() / total) if total else np.nan


@dataclass(frozen=True)
class GroupedKernels:
    """Sums among the rows, among the reference, and between them."""

    of_rows: _PairSums
    of_reference: _PairSums
    between: _PairSums

    def distance(self, counts: np.ndarray) -> float:
        """Return the distance with each group counted as often as stated, (g,).

        A bootstrap draws some groups several times. Their copies are not compared with one another,
        but each with itself and with other groups, as in the original: else the sets would seem
        denser than they are. NaN if no two rows are left.
        """
        weights = np.outer(counts, counts).astype(np.float64)
        np.fill_diagonal(weights, counts)
        mmd = self.of_rows.mean(weights) + self.of_reference.mean(weights)
        return SCALE * (mmd - 2 * self.between.mean(weights))


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


def _without_diagonal(kernel: np.ndarray) -> np.ndarray:
    return kernel - np.diag(np.diag(kernel))


def squared_distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the squared distance of each row of (n, d) from each of (m, d): (n, m)."""
    squared = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1) - 2 * a @ b.T
    return np.maximum(squared, 0)
