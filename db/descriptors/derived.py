"""Columns derived from others: the Δ and ΔΔ of frames follow from the static coefficients.

Δ of a frame is computed from later frames as well, so a forecaster that saw it would know part of
the answer. Forecasters therefore work on the independent columns, and the others are computed
afterwards. Units longer than a frame have the means of their frames' Δ, which do not follow from
other units; all of their columns are independent.
"""

import numpy as np

from db.descriptors import DESCRIPTORS
from db.settings import DescriptorSettings


def static_columns(settings: DescriptorSettings) -> np.ndarray:
    """Return the positions in `settings.names` of the independent columns, int64."""
    if settings.units != "frame":
        return np.arange(settings.n_descriptors)
    return np.array(settings.frame_static)


def complete(static: np.ndarray, settings: DescriptorSettings) -> np.ndarray:
    """Compute all columns of a sequence from the independent ones.

    Parameters
    ----------
    static : ndarray, shape (steps, len(static_columns(settings)))

    Returns
    -------
    ndarray, float32, shape (steps, n_descriptors)
    """
    if settings.units != "frame":
        return np.asarray(static, np.float32)
    parts = []
    first = 0
    for name, columns in settings.columns.items():
        width = len(columns.static_names)
        own = static[:, first : first + width]
        derive = DESCRIPTORS[name].derive if name in DESCRIPTORS else None  # a model's has none
        parts.append(derive(own, settings) if derive else own)
        first += width
    return np.concatenate(parts, axis=1, dtype=np.float32)
