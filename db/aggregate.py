"""From the frames of a source to the descriptors of its units.

A frame describes the samples from t·hop to (t+1)·hop. A unit's mean weighs each frame by how much
of it lies in the unit: the difference of the running integral of the frames at the unit's two ends,
which may lie anywhere within a frame.
"""

import numpy as np

from db.descriptors import DESCRIPTORS
from db.settings import DescriptorSettings


def unit_descriptors(
    frames: np.ndarray, lengths: np.ndarray, settings: DescriptorSettings
) -> np.ndarray:
    """Mean of every column, standard deviation of the static ones, and log2 of the duration in
    seconds.

    A mean leaves out frames where 0 says that there is no such thing (a pitch, f0); it is 0 if that
    is all of them.

    Parameters
    ----------
    frames : ndarray, float32, shape (frames, len(settings.frame_names))
    lengths : ndarray of int, shape (units,)
        Samples of each unit; they tile the source from its first sample.

    Returns
    -------
    ndarray, float32, shape (units, len(settings.names))
    """
    ends = np.concatenate([[0], np.cumsum(lengths)]) / settings.hop_length
    values = frames.astype(np.float64)
    present = np.ones_like(values)
    absent = {
        column for name in settings.descriptors for column in DESCRIPTORS[name].zero_is_absent
    }
    for i, name in enumerate(settings.frame_names):
        if name in absent:
            present[:, i] = values[:, i] != 0
    weight = _integrals(present, ends)
    mean = np.divide(_integrals(values, ends), weight, out=np.zeros_like(weight), where=weight > 0)
    static = list(settings.frame_static)
    centre = values.mean(axis=0)[static]  # squares of what is left lose no digits
    deviations = (values[:, static] - centre) * present[:, static]
    squares = np.divide(
        _integrals(deviations**2, ends),
        weight[:, static],
        out=np.zeros((len(lengths), len(static))),
        where=weight[:, static] > 0,
    )
    std = np.sqrt(
        np.maximum(squares - (mean[:, static] - centre) ** 2 * (weight[:, static] > 0), 0)
    )
    duration = np.log2(lengths / settings.sample_rate)[:, None]
    return np.concatenate([mean, std, duration], axis=1, dtype=np.float32)


def _integrals(values: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Integral of piecewise constant columns between successive ends, in frames: (frames, n) ->
    (len(ends) - 1, n).
    """
    running = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0)])
    whole = np.minimum(ends.astype(np.int64), len(values) - 1)
    return np.diff(running[whole] + (ends - whole)[:, None] * values[whole], axis=0)
