"""Linear prediction of vectors: the next step as a linear function of the last ones.

A vector autoregression (Lütkepohl 2005, New Introduction to Multiple Time Series Analysis, chapter
3), ridge-regularised: little where frames of a few descriptors overlap, much where a few thousand
beats have dozens of descriptors and a linear map could learn them by heart. Descriptor frames
overlap, so most of the next one follows linearly from the last few. It is the hardest baseline to
beat, and the mixture head builds on it.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

ORDER = 8  # steps looked back
RIDGES = (10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0)  # in training steps of unit variance


def fit_linear_prediction(sequences: Sequence[np.ndarray]) -> np.ndarray:
    """Fit by least squares to z-scored sequences (steps, n), with the best penalty of `RIDGES`.

    Returns
    -------
    ndarray, float64, shape (ORDER · n + 1, n)
        Weights of the last `ORDER` steps, earliest first, and of a constant 1.
    """
    size = ORDER * sequences[0].shape[1] + 1
    gram = np.zeros((size, size))
    moment = np.zeros((size, sequences[0].shape[1]))
    power = 0.0
    count = 0
    for sequence in sequences:
        past, following = contexts(sequence)
        rows = with_constant(past)
        gram += rows.T @ rows
        moment += rows.T @ following
        power += float((following.astype(np.float64) ** 2).sum())
        count += len(following)
    ridge = _choose_ridge(gram, moment, power=power, count=count)
    return np.linalg.solve(gram + ridge * np.eye(size), moment)


def predict_linearly(weights: Tensor, sequence: Tensor) -> Tensor:
    """Predict what follows each step, (batch, steps, n) -> (batch, steps, n).

    Before the first step, that step is repeated. `weights` are those of `fit_linear_prediction`.
    """
    before = sequence[:, :1].expand(-1, ORDER - 1, -1)
    recent = torch.cat([before, sequence], dim=1).unfold(1, ORDER, 1)
    rows = recent.transpose(2, 3).flatten(2)  # (batch, steps, n, ORDER) -> (…, ORDER * n)
    return rows @ weights[:-1] + weights[-1]


def _choose_ridge(gram: np.ndarray, moment: np.ndarray, *, power: float, count: int) -> float:
    """Choose by generalised cross-validation (Golub, Heath and Wahba 1979, Technometrics 21(2)).

    `gram` is Xᵀ X (d, d), `moment` Xᵀ Y (d, n), `power` the sum of Y², `count` the number of rows.
    """
    values, vectors = np.linalg.eigh(gram)
    values = values.clip(min=0)
    energy = ((vectors.T @ moment) ** 2).sum(axis=1)
    scores = []
    for ridge in RIDGES:
        shrunk = values + ridge
        error = power - (energy * (2 / shrunk - values / shrunk**2)).sum()
        freedom = (values / shrunk).sum()  # effective number of weights of a column
        scores.append(error / max(count - freedom, 1e-9) ** 2)
    return RIDGES[int(np.argmin(scores))]


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
