"""Batches for training: every transition of every sequence is in the loss exactly once per epoch.

A sequence is cut into windows of at most `window` transitions; where the cuts fall is drawn anew
each epoch. Windows are padded to one length and a mask keeps the padding out of the loss, so that
no ragged end and no short source is dropped.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from sequencer.averages import slow_averages


@dataclass(frozen=True)
class Batch:
    """`sequence` (batch, n_context + steps + 1, n): what came before, then inputs and targets, one
    step apart.

    `averages` (batch, n_context + steps, n · number of averages), of the inputs; see
    `sequencer.averages`. `mask` (batch, steps) is 1 where the target is real. `n_context` is as
    long as the earliest window of the batch allows.
    """

    sequence: Tensor
    averages: Tensor
    mask: Tensor
    n_context: int

    def without_targets(self) -> "Batch":
        """Nothing in it counts."""
        return replace(self, mask=torch.zeros_like(self.mask))


def cut_windows(
    lengths: list[int], *, window: int, rng: np.random.Generator | None = None
) -> np.ndarray:
    """(sequence, first input, transitions) of every window, int64, shape (n_windows, 3); the cuts'
    phase drawn from `rng`.
    """
    rows = []
    for number, length in enumerate(lengths):
        transitions = length - 1
        phase = int(rng.integers(window)) if rng is not None else 0
        edges = [0, *range(phase or window, transitions, window), transitions]
        rows += [(number, a, b - a) for a, b in pairwise(edges) if b > a]
    return np.array(rows, np.int64).reshape(-1, 3)


class Windows:
    """The windows of some sequences, epoch by epoch."""

    def __init__(
        self,
        sequences: list[Tensor],
        *,
        window: int,
        batch_size: int,
        context: int = 0,
        delay: int = 0,
    ) -> None:
        """`sequences`: z-scored, each (steps, n). `context`: steps before a window to be read;
        `delay`: of the averages.
        """
        self._lengths = [len(s) for s in sequences]
        self._steps = torch.cat(sequences)  # one tensor: a batch is one indexing
        self._averages = torch.from_numpy(
            np.concatenate([slow_averages(s.numpy(), delay=delay) for s in sequences])
        )
        self._first = np.cumsum([0, *self._lengths[:-1]])
        self._window = window
        self._batch_size = batch_size
        self._context = context

    def epoch(
        self,
        rng: np.random.Generator | None = None,
        *,
        skip: int = 0,
        share: tuple[int, int] = (0, 1),
    ) -> Iterator[Batch]:
        """Batches of one epoch after the first `skip`; shuffled with `rng`, in order without.

        Of `share` = (rank, number of processes) every process gets as many batches, those that are
        left over empty.

        Windows of similar length and past share a batch, so that little is spent on padding.
        """
        windows = cut_windows(self._lengths, window=self._window, rng=rng)
        if rng is not None:
            windows = rng.permutation(windows)
        past = np.minimum(windows[:, 1], self._context)
        windows = windows[np.lexsort((past, windows[:, 2]))]
        groups = [
            windows[i : i + self._batch_size] for i in range(0, len(windows), self._batch_size)
        ]
        order = rng.permutation(len(groups)) if rng is not None else np.arange(len(groups))
        rank, number = share
        for first in range(skip * number, len(order), number):
            mine = order[first + rank] if first + rank < len(order) else None
            yield (
                self._gather(groups[mine])
                if mine is not None
                else self._gather(groups[order[0]][:1]).without_targets()
            )

    def _gather(self, group: np.ndarray) -> Batch:
        number, first, n_transitions = group.T
        steps = int(n_transitions.max())
        context = int(min(first.min(), self._context))
        # past a window's end its last step is repeated and masked out
        offsets = np.minimum(np.arange(-context, steps + 1), n_transitions[:, None])
        index = (self._first[number] + first)[:, None] + offsets
        mask = torch.from_numpy(np.arange(steps) < n_transitions[:, None]).float()
        rows = torch.from_numpy(index)
        return Batch(self._steps[rows], self._averages[rows[:, :-1]], mask, context)
