"""Bring the frames of a model to the frames of a database.

    model, shorter frames   |--|--|--|--|--|--|--|     mean over the span of a frame
    database                |-----|-----|-----|--
    model, longer frames    |----o----|----o----|      between their middles: straight lines
    database                |--x--|--x--|--x--|--

Frames of equal length are the same, and stay as they are.
"""

import numpy as np


def to_frame_grid(
    rows: np.ndarray, model_samples: float, *, n_samples: int, hop_length: int
) -> np.ndarray:
    """Return a row for each frame of a signal.

    Parameters
    ----------
    rows : ndarray, float32, shape (model's frames, n_columns)
        Row i is about the samples from i * model_samples on.
    model_samples : float > 0
        How long a frame of the model is, in samples of the database.
    n_samples : int > 0
        Length of the signal.

    Returns
    -------
    ndarray, float32, shape (ceil(n_samples / hop_length), n_columns)
    """
    n_frames = -(-n_samples // hop_length)
    edges = np.minimum(np.arange(n_frames + 1) * hop_length, n_samples) / model_samples
    if model_samples == hop_length:
        return rows[:n_frames]
    if model_samples < hop_length:
        return _means(rows, np.minimum(edges, len(rows)))
    middles = (edges[:-1] + edges[1:]) / 2 - 0.5  # of frames, counted in rows from a row's middle
    return _between(rows, np.clip(middles, 0, len(rows) - 1))


def _means(rows: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Return the means of rows, taken as steps, between successive edges."""
    running = np.concatenate([np.zeros((1, rows.shape[1])), np.cumsum(rows, axis=0, dtype=float)])
    whole = np.minimum(edges.astype(np.int64), len(rows) - 1)
    integral = running[whole] + (edges - whole)[:, None] * rows[whole]
    return (np.diff(integral, axis=0) / np.diff(edges)[:, None]).astype(np.float32)


def _between(rows: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return rows at fractional places, by straight lines."""
    before = places.astype(np.int64)
    after = np.minimum(before + 1, len(rows) - 1)
    share = (places - before)[:, None]
    return ((1 - share) * rows[before] + share * rows[after]).astype(np.float32)
