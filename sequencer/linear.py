"""Linear prediction of vectors: the next step as a linear function of the last ones.

A vector autoregression (Lütkepohl 2005, New Introduction to Multiple Time Series Analysis, chapter
3), ridge-regularised. Descriptor frames overlap, so most of the next one follows linearly from the
last few. It is the hardest baseline to beat, and the mixture head builds on it.
"""

from collections.abc import Sequence

import numpy as np

ORDER = 8  # steps looked back
RIDGE = 10.0  # weight of the penalty, in training steps of unit variance


def fit_linear_prediction(sequences: Sequence[np.ndarray]) -> np.ndarray:
    """Fit by least squares to z-scored sequences (steps, n).

    Returns
    -------
    ndarray, float64, shape (ORDER · n + 1, n)
        Weights of the last `ORDER` steps, earliest first, and of a constant 1.
    """
    size = ORDER * sequences[0].shape[1] + 1
    gram = np.zeros((size, size))
    moment = np.zeros((size, sequences[0].shape[1]))
    for sequence in sequences:
        past, following = contexts(sequence)
        rows = with_constant(past)
        gram += rows.T @ rows
        moment += rows.T @ following
    return np.linalg.solve(gram + RIDGE * np.eye(size), moment)


def with_constant(rows: np.ndarray) -> np.ndarray:
    """Append a column of ones to rows (n, d); float64, (n, d + 1)."""
    ones = np.ones((len(rows), 1))
    return np.concatenate([rows, ones], axis=1, dtype=np.float64)


def contexts(sequence: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cut a sequence (steps, n) into contexts of `ORDER` steps and the steps that follow them.

    Returns
    -------
    past : ndarray, shape (steps - ORDER, ORDER * n)
    following : ndarray, shape (steps - ORDER, n)
    """
    if len(sequence) <= ORDER:
        nothing = sequence[:0]
        return np.tile(nothing, ORDER), nothing
    past = np.lib.stride_tricks.sliding_window_view(sequence[:-1], ORDER, axis=0)
    rows = past.transpose(0, 2, 1)  # (steps - ORDER, n, ORDER) -> (steps - ORDER, ORDER, n)
    return rows.reshape(len(past), -1), sequence[ORDER:]
