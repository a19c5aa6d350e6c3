"""Distances between descriptors.

l2       Euclidean
cosine   Euclidean, of vectors scaled to unit length: √(2 - 2 cos), so only the angle counts
l1       sum of absolute differences
linf     the largest absolute difference
lp:P     (Σ |x - y|^P)^(1/P), P from 1 to 10

FAISS can search compressed vectors with l2 and cosine only.
"""

from dataclasses import dataclass

import faiss
import numpy as np

from files.errors import ParameterError
from files.ranges import shown
from query.names import METRICS

HIGHEST_ORDER = 10  # powers of distant vectors still fit in single precision; linf is close to it


@dataclass(frozen=True)
class Metric:
    """One of `METRICS`; `order` is P."""

    name: str
    order: float

    def __str__(self) -> str:
        return f"lp:{self.order:g}" if self.name == "lp" else self.name

    @property
    def faiss_metric(self) -> int:
        return {"l1": faiss.METRIC_L1, "linf": faiss.METRIC_Linf, "lp": faiss.METRIC_Lp}.get(
            self.name, faiss.METRIC_L2
        )

    @property
    def euclidean(self) -> bool:
        """True if prepared vectors are compared by Euclidean distance."""
        return self.name in ("l2", "cosine")

    @property
    def farthest(self) -> float:
        """A coordinate small enough that its powers can be summed in single precision."""
        return 1e36 ** (1 / max(self.order, 2)) if self.name == "lp" else 1e18

    def prepare(self, vectors: np.ndarray) -> np.ndarray:
        """Prepare z-scored, weighted vectors (..., d): scale them to unit length for cosine."""
        if self.name != "cosine":
            return vectors
        length = np.sqrt(np.einsum("...d,...d->...", vectors, vectors))[..., None]
        return np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 0)

    def of_differences(self, difference: np.ndarray) -> np.ndarray:
        """Return distances from differences of prepared vectors, (..., d) -> (...)."""
        if self.euclidean:
            return np.sqrt(np.einsum("...d,...d->...", difference, difference))
        magnitude = np.abs(difference)
        if self.name == "linf":
            return magnitude.max(axis=-1)
        return (
            magnitude.sum(axis=-1)
            if self.name == "l1"
            else (magnitude**self.order).sum(axis=-1) ** (1 / self.order)
        )

    def between(
        self,
        a: np.ndarray,
        b: np.ndarray,
        a_squared: np.ndarray | None = None,
        b_squared: np.ndarray | None = None,
    ) -> np.ndarray:
        """Return the distances of every a (n, d) from every b (m, d), float32, (n, m).

        Euclidean distances are exact up to rounding of |a|² + |b|². `a_squared` and `b_squared` are
        the `squared_lengths` of a and b, if known.
        """
        if not self.euclidean:
            from scipy.spatial.distance import cdist  # takes a third of a second to import

            name = {"l1": "cityblock", "linf": "chebyshev"}.get(self.name)
            distances = cdist(a, b, name) if name else cdist(a, b, "minkowski", p=self.order)
            return distances.astype(np.float32)
        squared = a @ (-2 * b.T)
        squared += (squared_lengths(a) if a_squared is None else a_squared)[:, None]
        squared += squared_lengths(b) if b_squared is None else b_squared
        np.maximum(squared, 0, out=squared)
        return np.sqrt(squared, out=squared)


def squared_lengths(vectors: np.ndarray) -> np.ndarray:
    """Return |x|² of vectors, (n, d) -> (n,)."""
    return np.einsum("nd,nd->n", vectors, vectors)


def parse_metric(text: str) -> Metric:
    """Parse a metric such as `l2` or `lp:3`.

    Raises
    ------
    ParameterError
        If it is not one of `METRICS`.
    """
    name, _, order = text.partition(":")
    if name == "lp":
        try:
            p = float(order)
        except ValueError:
            p = np.nan
        if not 1 <= p <= HIGHEST_ORDER:
            raise ParameterError(
                f"metric={shown(text)}: write lp:P with a number P from 1 to {HIGHEST_ORDER}, for"
                " example lp:3"
            )
        return Metric("lp", p)
    if text not in METRICS:
        raise ParameterError(f"metric={shown(text)} must be one of {', '.join(METRICS)}")
    return Metric(text, {"l1": 1.0, "linf": np.inf}.get(text, 2.0))
