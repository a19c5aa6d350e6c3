"""Can a classifier tell a continuation from the true one?

A logistic regression is fitted to windows of some tracks and asked about those of others, until
each track was asked about once. Lopez-Paz and Oquab (arXiv 1610.06545) call this a classifier
two-sample test.

Windows alone show whether it is music of that kind: a passage of any other piece is not told from
it, either. Their distances from the seed show whether it is music that follows this seed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from files.errors import ParameterError

FOLDS = 10
# weight of |w|² / 2 beside the mean loss, on standardised embeddings
REGULARISATION = 0.1


@dataclass(frozen=True)
class LogisticRegression:
    """P(1 | x) = σ(w · (x - mean) / scale + bias), L2 regularised, both classes equally heavy."""

    mean: np.ndarray
    scale: np.ndarray
    weights: np.ndarray
    bias: float

    @classmethod
    def fit(cls, rows: np.ndarray, labels: np.ndarray) -> Self:
        """Fit to rows (n, d) with labels (n,), bool; both must occur."""
        from scipy.optimize import minimize

        mean = rows.mean(axis=0)
        scale = rows.std(axis=0)
        scale[scale < 1e-9] = 1.0
        inputs = np.column_stack([(rows - mean) / scale, np.ones(len(rows))])
        signs = np.where(labels, 1.0, -1.0)
        shares = np.where(labels, 0.5 / labels.sum(), 0.5 / (~labels).sum())

        def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
            margins = signs * (inputs @ parameters)
            penalised = np.append(parameters[:-1], 0.0)
            value = shares @ np.logaddexp(0, -margins)
            value += REGULARISATION / 2 * penalised @ penalised
            slope = -signs * shares * np.exp(-np.logaddexp(0, margins))
            return float(value), slope @ inputs + REGULARISATION * penalised

        found = minimize(loss, np.zeros(inputs.shape[1]), jac=True, method="L-BFGS-B")
        return cls(mean, scale, found.x[:-1], float(found.x[-1]))

    def predict(self, rows: np.ndarray) -> np.ndarray:
        """(n, d) -> (n,), bool."""
        return ((rows - self.mean) / self.scale) @ self.weights + self.bias > 0


def distance_from_seed(windows: np.ndarray, of_seed: np.ndarray) -> np.ndarray:
    """Return how far windows (n, d) are from the mean of those of a seed (m, d), by dimension."""
    return np.abs(windows - of_seed.mean(axis=0))


def told_apart(
    rows: np.ndarray, labels: np.ndarray, tracks: Sequence[str], *, random_seed: int = 0
) -> np.ndarray:
    """Return for each window whether it is told right by a classifier that knows other tracks only.

    Parameters
    ----------
    rows : ndarray, shape (n, d)
        Embeddings of windows.
    labels : ndarray, bool, shape (n,)
        True for windows of true continuations. Each track must have both kinds.
    tracks : sequence of str, length n
        The track of the seed of each window.

    Returns
    -------
    ndarray, bool, shape (n,)

    Raises
    ------
    ParameterError
        If there is one track only.
    """
    names, track_of = np.unique(np.asarray(tracks), return_inverse=True)
    if len(names) < 2:
        raise ParameterError(
            f"windows of {len(names)} track cannot be divided into parts without a common track;"
            " give seeds of at least 2 tracks"
        )
    rows = rows.astype(np.float64)
    order = np.random.default_rng(random_seed).permutation(len(names))
    fold_of = np.empty(len(names), np.int64)
    fold_of[order] = np.arange(len(names)) % min(FOLDS, len(names))
    is_right = np.empty(len(rows), bool)
    for fold in range(min(FOLDS, len(names))):
        is_asked = fold_of[track_of] == fold
        model = LogisticRegression.fit(rows[~is_asked], labels[~is_asked])
        is_right[is_asked] = model.predict(rows[is_asked]) == labels[is_asked]
    return is_right


def balanced_accuracy(
    is_right: np.ndarray, labels: np.ndarray, counts: np.ndarray | None = None
) -> float:
    """Return the mean of the shares told right of both kinds: 0.5 by guessing, at most 1.

    All are (n,); `counts` says how often each window counts, once by default.
    """
    weights = np.ones(len(labels)) if counts is None else counts.astype(np.float64)
    shares = [
        np.average(is_right[labels == kind], weights=weights[labels == kind])
        for kind in (False, True)
    ]
    return float(np.mean(shares))


def distinguishability(
    windows: np.ndarray, tracks: Sequence[str], true_windows: np.ndarray, true_tracks: Sequence[str]
) -> float:
    """Return the share of windows told right as continuation or true continuation, 0.5 to 1.

    `windows` (n, d) are embeddings of continuations, `true_windows` (m, d) of true ones; the tracks
    are those of their seeds. By chance it can be below 0.5. Raises as `told_apart`.
    """
    labels = np.repeat([False, True], [len(windows), len(true_windows)])
    rows = np.concatenate([windows, true_windows])
    return balanced_accuracy(told_apart(rows, labels, [*tracks, *true_tracks]), labels)
