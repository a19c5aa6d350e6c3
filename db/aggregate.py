"""Compute the descriptors of units from the frames of their source.

Frame t describes the samples from t·hop to (t+1)·hop. A unit's mean weights each frame by how much
of it lies in the unit. It is computed as the difference between the running integral of the frames
at the unit's two ends, which may lie anywhere within a frame.
"""

import numpy as np

from db.beat_grid import BeatGrid
from db.settings import DescriptorSettings


def unit_descriptors(
    frames: np.ndarray,
    lengths: np.ndarray,
    settings: DescriptorSettings,
    grid: BeatGrid | None = None,
) -> np.ndarray:
    """Return the descriptors of units longer than a frame.

    They are the mean of every column, the standard deviation of the static ones, log2 of the
    duration in seconds, and the place of parts of beats in their grid. Means leave out frames in
    which 0 means "there is none" (f0 without a pitch), and are 0 if that is true of all frames.

    Parameters
    ----------
    frames : ndarray, float32, shape (frames, len(settings.frame_names))
    lengths : ndarray of int, shape (units,)
        Samples of each unit; they tile the source from its first sample.
    grid : BeatGrid, optional
        Needed for parts of beats.

    Returns
    -------
    ndarray, float32, shape (units, len(settings.names))
    """
    ends = np.concatenate([[0], np.cumsum(lengths)]) / settings.hop_length
    values = frames.astype(np.float64)
    present = _presence(values, settings)
    weight = _integrals(present, ends)
    mean = _divide(_integrals(values, ends), weight)
    std = _deviations(values, present, ends, mean=mean, weight=weight, settings=settings)
    duration = np.log2(lengths / settings.sample_rate)[:, None]
    columns = [mean, std, duration]
    if settings.is_metrical:
        assert grid is not None
        columns.append(grid.columns(np.cumsum(lengths) - lengths))
    return np.concatenate(columns, axis=1, dtype=np.float32)


def _presence(values: np.ndarray, settings: DescriptorSettings) -> np.ndarray:
    """Return 1 where there is a value, 0 where a 0 means "there is none"; shape as `values`."""
    present = np.ones_like(values)
    absent = {name for columns in settings.columns.values() for name in columns.zero_is_absent}
    for i, name in enumerate(settings.frame_names):
        if name in absent:
            present[:, i] = values[:, i] != 0
    return present


def _deviations(
    values: np.ndarray,
    present: np.ndarray,
    ends: np.ndarray,
    *,
    mean: np.ndarray,
    weight: np.ndarray,
    settings: DescriptorSettings,
) -> np.ndarray:
    """Return the standard deviation of the static columns in each unit."""
    static = list(settings.frame_static)
    mean = mean[:, static]
    weight = weight[:, static]
    centre = values.mean(axis=0)[static]  # subtracted so that the squares lose no digits
    distances = (values[:, static] - centre) * present[:, static]
    squares = _divide(_integrals(distances**2, ends), weight)
    # rounding, or a unit without any value, can make the difference negative
    return np.sqrt(np.maximum(squares - (mean - centre) ** 2, 0))


def _divide(integrals: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Divide by the weight; return 0 where the weight is 0."""
    return np.divide(integrals, weight, out=np.zeros(weight.shape), where=weight > 0)


def _integrals(values: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Integrate piecewise constant columns between successive ends, in frames.

    Shape (frames, n) -> (len(ends) - 1, n).
    """
    running = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0)])
    whole = np.minimum(ends.astype(np.int64), len(values) - 1)
    return np.diff(running[whole] + (ends - whole)[:, None] * values[whole], axis=0)
