"""What a descriptor is: measured on blocks of frames, and finished once all are measured."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from db.descriptors.frames import Frames
from db.settings import DescriptorSettings


def join_blocks(blocks: Iterable[np.ndarray], settings: DescriptorSettings) -> np.ndarray:
    """Join measured blocks whose rows are the descriptor's already."""
    return np.concatenate(list(blocks))


@dataclass(frozen=True)
class Descriptor:
    """One kind of descriptor; `db.columns` names its columns.

    Attributes
    ----------
    measure : Frames -> ndarray, float32, shape (frames, m)
        Called once per block of frames, in order; the result is kept for `finish`.
    finish : (blocks, settings) -> ndarray, float32, shape (all frames, number of columns)
        `blocks` can be iterated more than once.
    derive : (ndarray (frames, n_static), settings) -> ndarray (frames, all columns), optional
        Computes all columns from the independent ones, if there are others.
    """

    measure: Callable[[Frames], np.ndarray]
    finish: Callable[[Iterable[np.ndarray], DescriptorSettings], np.ndarray] = join_blocks
    derive: Callable[[np.ndarray, DescriptorSettings], np.ndarray] | None = None
