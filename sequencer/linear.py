"""Linear prediction of vectors: the next step as a linear function of the last ones (Lütkepohl
2005, New Introduction to Multiple Time Series Analysis, chapter 3), ridge-regularised.

Descriptor frames overlap, so that most of the next one follows linearly from the last few. As a
baseline it is the one to beat; in the mixture head it is the ground on which the network stands.
"""

from collections.abc import Sequence

import numpy as np

ORDER = 8  # steps looked back
RIDGE = 10.0  # weight of the penalty, in training steps of unit variance


def fit_linear_prediction(sequences: Sequence[np.ndarray]) -> np.ndarray:
    """Least squares over z-scored sequences (steps, n).

    Returns
    -------
    ndarray, float64, shape (ORDER · n + 1, n)
        For the last `ORDER` steps, earliest first, as one row with a 1 behind.
    """
    size = ORDER * sequences[0].shape[1] + 1
    gram = np.zeros((size, size))
    moment = np.zeros((size, sequences[0].shape[1]))
    for sequence in sequences:
        past, following = contexts(sequence)
        rows = np.concatenate([past, np.ones((len(past), 1))], axis=1, dtype=np.float64)
        gram += rows.T @ rows
        moment += rows.T @ following
    return np.linalg.solve(gram + RIDGE * np.eye(size), moment)


def contexts(sequence: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(steps, n) -> the last `ORDER` steps before each step, (steps - ORDER, ORDER · n), and those
    steps.
    """
    if len(sequence) <= ORDER:
        return np.empty((0, ORDER * sequence.shape[1]), np.float32), np.empty(
            (0, sequence.shape[1]), np.float32
        )
    past = np.lib.stride_tricks.sliding_window_view(
        sequence[:-1], ORDER, axis=0
    )  # (steps - ORDER, n, ORDER)
    return past.transpose(0, 2, 1).reshape(len(past), -1), sequence[ORDER:]
