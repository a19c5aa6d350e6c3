"""The interface of a descriptor: measure blocks of frames, then finish once all are measured."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from db.descriptors.frames import Frames
from db.settings import DescriptorSettings


def join_blocks(blocks: Iterable[np.ndarray], settings: DescriptorSettings) -> np.ndarray:
    """Join measured blocks that need no further work."""
    return np.concatenate(list(blocks))


@dataclass(frozen=True)
class Descriptor:
    """One kind of descriptor; `db.columns` names its columns.

    Attributes
    ----------
    measure : Frames -> ndarray, float32, shape (frames, m)
        Called once per block of frames, in order; the results go to `finish`.
    finish : (blocks, settings) -> ndarray, float32, shape (all frames, number of columns)
        `blocks` can be iterated more than once.
    derive : (ndarray (frames, n_static), settings) -> ndarray (frames, all columns), optional
        Computes all columns from the independent ones; None if all are independent.
    """

    measure: Callable[[Frames], np.ndarray]
    finish: Callable[[Iterable[np.ndarray], DescriptorSettings], np.ndarray] = join_blocks
    derive: Callable[[np.ndarray, DescriptorSettings], np.ndarray] | None = None
