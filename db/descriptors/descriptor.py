"""What a descriptor is: how its columns are named, measured on a block of frames, and finished once
all are measured.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from db.descriptors.frames import Frames
    from db.settings import DescriptorSettings


def join_blocks(blocks: Iterable[np.ndarray], settings: DescriptorSettings) -> np.ndarray:
    """`finish` of a descriptor whose blocks are its rows already."""
    return np.concatenate(list(blocks))


@dataclass(frozen=True)
class Descriptor:
    """One kind of descriptor.

    To add one: write its file, and name it in `db.descriptors.DESCRIPTORS`.

    Attributes
    ----------
    columns : settings -> names of its columns
    measure : Frames -> ndarray, float32, shape (frames, m)
        Called once per block of frames, in order; the result is kept for `finish`.
    finish : (blocks, settings) -> ndarray, float32, shape (all frames, len(columns))
        `blocks` can be iterated more than once.
    n_static : settings -> int, optional
        How many of the first columns are independent; all by default. `derive` computes the others
        from them.
    derive : (ndarray (frames, n_static), settings) -> ndarray (frames, len(columns)), optional
    zero_is_absent : frozenset of column names
        0 in these means "there is none"; a unit's mean leaves such frames out.
    """

    columns: Callable[[DescriptorSettings], tuple[str, ...]]
    measure: Callable[[Frames], np.ndarray]
    finish: Callable[[Iterable[np.ndarray], DescriptorSettings], np.ndarray] = join_blocks
    n_static: Callable[[DescriptorSettings], int] | None = None
    derive: Callable[[np.ndarray, DescriptorSettings], np.ndarray] | None = None
    zero_is_absent: frozenset[str] = frozenset()
