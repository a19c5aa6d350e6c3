"""Columns that follow from others: Δ and ΔΔ of a sequence of frames follow from its static
coefficients.

A forecaster that saw Δ, computed from the frames to come as well, would be told part of the answer.
It works on the independent columns; the rest is completed afterwards. Units longer than a frame
have means of Δ within the unit, which do not follow from the means around it: there every column is
independent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from db.descriptors import DESCRIPTORS

if TYPE_CHECKING:
    from db.settings import DescriptorSettings


def static_columns(settings: DescriptorSettings) -> np.ndarray:
    """Positions in `settings.names` of the independent columns, int64."""
    if settings.units != "frame":
        return np.arange(settings.n_descriptors)
    return np.array(settings.frame_static)


def complete(static: np.ndarray, settings: DescriptorSettings) -> np.ndarray:
    """Sequences of all columns from the independent ones: (steps, n_static) -> (steps,
    n_descriptors), float32.
    """
    if settings.units != "frame":
        return np.asarray(static, np.float32)
    parts = []
    first = 0
    for name in settings.descriptors:
        descriptor = DESCRIPTORS[name]
        width = (
            descriptor.n_static(settings)
            if descriptor.n_static
            else len(descriptor.columns(settings))
        )
        own = static[:, first : first + width]
        parts.append(descriptor.derive(own, settings) if descriptor.derive else own)
        first += width
    return np.concatenate(parts, axis=1, dtype=np.float32)
