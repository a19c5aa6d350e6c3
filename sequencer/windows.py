"""Batches for training: every transition of every sequence is in the loss once per epoch.

A sequence is cut into windows of at most `window` transitions; where the cuts fall is drawn anew
for each epoch. Windows are padded to one length and a mask keeps the padding out of the loss, so
that no ragged end and no short source is dropped.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from sequencer.averages import SPANS, Spans, slow_averages
from sequencer.forecaster import Forecaster
from sequencer.linear import ORDER


@dataclass(frozen=True)
class Batch:
    """Windows of one length, with their context, the steps before them.

    Attributes
    ----------
    sequence : Tensor, shape (batch, n_context + steps + 1, n)
        The context, then inputs and targets, one step apart.
    averages : Tensor, shape (batch, n_context + steps, n * len(spans))
        Slow averages of the inputs; see `sequencer.averages`.
    mask : Tensor, shape (batch, steps)
        1 where the target is real.
    n_context : int
        As long as the earliest window of the batch allows.
    conditions : Tensor, shape (batch, n_context + steps, width), optional
        Rows of a condition; see `sequencer.condition`.
    """

    sequence: Tensor
    averages: Tensor
    mask: Tensor
    n_context: int
    conditions: Tensor | None = None

    def without_targets(self) -> "Batch":
        """Return the same batch with nothing in the loss."""
        return replace(self, mask=torch.zeros_like(self.mask))


def cut_windows(
    lengths: list[int], *, window: int, rng: np.random.Generator | None = None
) -> np.ndarray:
    """Cut sequences of these lengths into windows, from a random phase if `rng` is given.

    Returns
    -------
    ndarray, int64, shape (n_windows, 3)
        Sequence, first input and number of transitions of every window.
    """
    rows = []
    for number, length in enumerate(lengths):
        transitions = length - 1
        phase = int(rng.integers(window)) if rng is not None else 0
        edges = [0, *range(phase or window, transitions, window), transitions]
        rows += [(number, start, end - start) for start, end in pairwise(edges) if end > start]
    return np.array(rows, np.int64).reshape(-1, 3)


class Windows:
    """The windows of some sequences, epoch by epoch."""

    def __init__(
        self,
        sequences: list[Tensor],
        *,
        window: int,
        batch_size: int,
        spans: Spans = SPANS,
        context: int = 0,
        delay: int = 0,
        conditions: list[Tensor] | None = None,
    ) -> None:
        """Take z-scored sequences, each (steps, n).

        `context` is the number of steps read before each window, `spans` and `delay` are those of
        the slow averages. `conditions` are the rows that enter with the steps of each sequence.
        """
        self._lengths = [len(sequence) for sequence in sequences]
        self._steps = torch.cat(sequences)  # one tensor, so that a batch is one indexing
        averages = [slow_averages(sequence.numpy(), spans, delay=delay) for sequence in sequences]
        self._averages = torch.from_numpy(np.concatenate(averages))
        self._conditions = None if conditions is None else torch.cat(conditions)
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
        """Yield the batches of one epoch after the first `skip`, shuffled if `rng` is given.

        With `share` = (rank, world size) every process gets equally many batches; a process for
        which none is left gets one without targets. Windows of similar length and context share a
        batch, to keep padding short.
        """
        groups = self._group_windows(rng)
        order = rng.permutation(len(groups)) if rng is not None else np.arange(len(groups))
        rank, world_size = share
        for first in range(skip * world_size, len(order), world_size):
            if first + rank < len(order):
                yield self._gather(groups[order[first + rank]])
            else:
                yield self._gather(groups[order[0]][:1]).without_targets()

    def _group_windows(self, rng: np.random.Generator | None) -> list[np.ndarray]:
        windows = cut_windows(self._lengths, window=self._window, rng=rng)
        if rng is not None:
            windows = rng.permutation(windows)
        context = np.minimum(windows[:, 1], self._context)
        windows = windows[np.lexsort((context, windows[:, 2]))]
        size = self._batch_size
        return [windows[start : start + size] for start in range(0, len(windows), size)]

    def _gather(self, group: np.ndarray) -> Batch:
        number, first, n_transitions = group.T
        steps = int(n_transitions.max())
        context = int(min(first.min(), self._context))
        # Past the end of a window its last step is repeated, and masked out.
        offsets = np.minimum(np.arange(-context, steps + 1), n_transitions[:, None])
        index = (self._first[number] + first)[:, None] + offsets
        mask = torch.from_numpy(np.arange(steps) < n_transitions[:, None]).float()
        rows = torch.from_numpy(index)
        inputs = rows[:, :-1]
        conditions = None if self._conditions is None else self._conditions[inputs]
        return Batch(self._steps[rows], self._averages[inputs], mask, context, conditions)


def windows_for(
    model: Forecaster,
    sequences: list[Tensor],
    *,
    window: int,
    batch_size: int,
    conditions: list[Tensor] | None = None,
) -> Windows:
    """Return windows of z-scored sequences (steps, n) with the context that a model reads.

    Without `conditions`, nothing is known of a condition.
    """
    context = max(model.architecture.context_steps, ORDER)
    return Windows(
        sequences,
        window=window,
        batch_size=batch_size,
        spans=model.config.spans,
        context=context,
        delay=model.head.delay,
        conditions=conditions,
    )
