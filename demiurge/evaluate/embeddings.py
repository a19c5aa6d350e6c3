"""Similarity of embeddings, of MusiCNN or another network."""

import numpy as np

from files.errors import ParameterError


def embedding_similarity(windows: np.ndarray, of_seed: np.ndarray) -> float:
    """Return the cosine of the mean embeddings of a continuation and of its seed.

    Parameters
    ----------
    windows : ndarray, shape (n >= 1, d)
    of_seed : ndarray, shape (m >= 1, d)
        One embedding per window of audio.

    Returns
    -------
    float, -1 to 1
        0 if either mean is 0.

    Raises
    ------
    ParameterError
        If they differ in dimensions or have no rows.
    """
    if not len(windows) or not len(of_seed) or windows.shape[1:] != of_seed.shape[1:]:
        raise ParameterError(
            f"embeddings of shapes {windows.shape} and {of_seed.shape} must be (n >= 1, d) with the"
            " same d; make both with one model"
        )
    ours = windows.astype(np.float64).mean(axis=0)
    other = of_seed.astype(np.float64).mean(axis=0)
    scale = np.linalg.norm(ours) * np.linalg.norm(other)
    return float(ours @ other / scale) if scale > 0 else 0.0
