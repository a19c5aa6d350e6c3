"""Checks of sets of embeddings that are to be compared."""

import numpy as np

from files.errors import ParameterError


def checked_rows(**sets: np.ndarray) -> list[np.ndarray]:
    """Return two sets of embeddings, one a row, as float64; their names are for errors.

    Raises
    ------
    ParameterError
        If the sets have too few rows, differ in dimensions or hold NaN or infinite values.
    """
    first, second = (_checked(name, rows) for name, rows in sets.items())
    if first.shape[1] != second.shape[1]:
        raise ParameterError(
            f"embeddings of {first.shape[1]} and {second.shape[1]} dimensions cannot be compared;"
            " make both with one model"
        )
    return [first, second]


def _checked(name: str, rows: np.ndarray) -> np.ndarray:
    if rows.ndim != 2 or len(rows) < 2 or not rows.shape[1]:
        raise ParameterError(
            f"{name} of shape {rows.shape} must be (n >= 2, d >= 1), one embedding a row; give more"
            " audio"
        )
    if not np.isfinite(rows).all():
        raise ParameterError(f"{name} holds NaN or infinite values; repair the audio it is made of")
    return rows.astype(np.float64)
