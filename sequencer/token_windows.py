"""Batches of tokens for a masked model: every step of every sequence once per epoch."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sequencer.windows import cut_windows


@dataclass(frozen=True)
class TokenBatch:
    """Windows of one length.

    Attributes
    ----------
    number : int
        Of the batch's first window in the epoch.
    codes : Tensor, int64, shape (batch, steps, levels)
    real : Tensor, bool, shape (batch, steps)
        False where a window is padded to the length of the others.
    """

    number: int
    codes: Tensor
    real: Tensor


class TokenWindows:
    """The windows of some sequences of codes, epoch by epoch."""

    def __init__(self, sequences: list[Tensor], *, window: int, batch_size: int) -> None:
        """Take sequences of codes, each int64, (steps, levels)."""
        self._lengths = [len(codes) for codes in sequences]
        self._codes = torch.cat(sequences)
        self._first = np.cumsum([0, *self._lengths[:-1]])
        self._window = window
        self._batch_size = batch_size

    def epoch(
        self,
        rng: np.random.Generator | None = None,
        *,
        skip: int = 0,
        share: tuple[int, int] = (0, 1),
    ) -> Iterator[TokenBatch]:
        """Yield the batches of one epoch after the first `skip`, shuffled if `rng` is given.

        With `share` = (rank, world size) every process gets equally many batches; a process for
        which none is left gets one in which nothing is real.
        """
        # a window of steps is one of transitions from the step before
        windows = cut_windows([n + 1 for n in self._lengths], window=self._window, rng=rng)
        if rng is not None:
            windows = rng.permutation(windows)
        windows = windows[np.argsort(windows[:, 2], kind="stable")]  # to keep padding short
        starts = np.arange(0, len(windows), self._batch_size)
        order = rng.permutation(len(starts)) if rng is not None else np.arange(len(starts))
        rank, world_size = share
        for first in range(skip * world_size, len(order), world_size):
            is_left = first + rank < len(order)
            start = int(starts[order[first + rank if is_left else 0]])
            yield self._gather(start, windows[start : start + self._batch_size], is_left)

    def _gather(self, start: int, windows: np.ndarray, is_left: bool) -> TokenBatch:
        number, first, n_steps = windows.T
        offsets = np.arange(n_steps.max())
        real = (offsets < n_steps[:, None]) & is_left
        index = (self._first[number] + first)[:, None] + np.minimum(offsets, n_steps[:, None] - 1)
        return TokenBatch(start, self._codes[torch.from_numpy(index)], torch.from_numpy(real))
