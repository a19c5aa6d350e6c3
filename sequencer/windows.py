"""Batches for training: every transition of every sequence is in the loss exactly once per epoch.

A sequence is cut into windows of at most `window` transitions; where the cuts fall is drawn anew each epoch. Windows are
padded to one length and a mask keeps the padding out of the loss, so that no ragged end and no short source is dropped.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """`inputs` and `targets` (batch, window, n), targets one step ahead; `mask` (batch, window) is 1 where they are real."""

    inputs: Tensor
    targets: Tensor
    mask: Tensor


def cut_windows(lengths: list[int], *, window: int, rng: np.random.Generator | None = None) -> np.ndarray:
    """(sequence, first input, transitions) of every window, int64, shape (n_windows, 3); the cuts' phase drawn from `rng`."""
    rows = []
    for number, length in enumerate(lengths):
        transitions = length - 1
        phase = int(rng.integers(window)) if rng is not None else 0
        edges = [0, *range(phase or window, transitions, window), transitions]
        rows += [(number, a, b - a) for a, b in pairwise(edges) if b > a]
    return np.array(rows, np.int64).reshape(-1, 3)


def batches(
    sequences: list[Tensor], *, window: int, batch_size: int, rng: np.random.Generator | None = None
) -> Iterator[Batch]:
    """One epoch over sequences (steps, n); shuffled with `rng`, in order without.

    Windows of similar length share a batch, so that little is spent on padding.
    """
    windows = cut_windows([len(s) for s in sequences], window=window, rng=rng)
    if rng is not None:
        windows = rng.permutation(windows)
    windows = windows[np.argsort(windows[:, 2], kind="stable")]
    groups = [windows[i : i + batch_size] for i in range(0, len(windows), batch_size)]
    order = rng.permutation(len(groups)) if rng is not None else range(len(groups))
    for i in order:
        group = groups[i]
        steps = int(group[:, 2].max())
        # (batch, steps + 1) positions; past a window's end its last step is repeated and masked out
        offsets = np.minimum(np.arange(steps + 1), group[:, 2:3])
        rows = torch.stack(
            [
                sequences[number][torch.from_numpy(first + offset)]
                for (number, first, _), offset in zip(group, offsets, strict=True)
            ]
        )
        mask = torch.from_numpy(np.arange(steps) < group[:, 2:3]).float()
        yield Batch(rows[:, :-1], rows[:, 1:], mask)
