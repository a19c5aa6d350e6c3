"""Slow averages of a sequence, a cheap memory of what it has been like so far.

An architecture trained on excerpts of a few seconds forgets what a piece was like a minute ago, and
its rollouts drift to the middle of the corpus. Each step therefore comes with averages over several
spans: exponential ones over about so many steps, which early in a sequence are plain means (the
bias correction of Kingma & Ba 2015, arXiv 1412.6980), and the mean of everything so far.
"""

from collections import deque
from copy import copy
from itertools import pairwise
from typing import Literal, Self

import numpy as np
import torch
from torch import Tensor

Span = int | Literal["all"]
Spans = tuple[Span, ...]

SPANS: Spans = (64, 512, "all")  # steps: 1.5 s and 12 s of frames, and everything so far


def slow_averages(sequence: np.ndarray, spans: Spans, *, delay: int = 0) -> np.ndarray:
    """Average each step of a sequence with those before it, over each of the spans.

    Parameters
    ----------
    sequence : ndarray, shape (..., steps, n)
    delay : int
        Steps by which the averages lag; those before the first step are 0.

    Returns
    -------
    ndarray, float32, shape (..., steps, n * len(spans))
    """
    steps = sequence.shape[-2]
    known = sequence[..., : max(steps - delay, 0), :].astype(np.float64)
    count = np.arange(1, known.shape[-2] + 1)[:, None]
    parts = []
    for span in spans:
        if span == "all":
            parts.append(known.cumsum(axis=-2) / count)
        else:
            decay = 1 - 1 / span
            parts.append(_accumulate(known / span, decay) / (1 - decay**count))
    width = sequence.shape[-1] * len(spans)
    averages = np.zeros((*sequence.shape[:-1], width), np.float32)
    n_unknown = steps - known.shape[-2]
    averages[..., n_unknown:, :] = np.concatenate(parts, axis=-1)
    return averages


def _accumulate(values: np.ndarray, decay: float) -> np.ndarray:
    """Add to each step (..., steps, n), in place, what came before it, decayed; return it."""
    steps = np.moveaxis(values, -2, 0)
    decayed = np.empty(steps.shape[1:])
    for before, after in pairwise(steps):
        np.multiply(before, decay, out=decayed)
        np.add(after, decayed, out=after)
    return values


class SlowAverages:
    """The slow averages of a growing batch of sequences (batch, steps, n); 0 while it is empty."""

    def __init__(self, sequence: Tensor, spans: Spans) -> None:
        batch, self._count, n = sequence.shape
        self._spans = spans
        self.value = sequence.new_zeros(batch, n * len(spans))
        if self._count:
            latest = slow_averages(sequence.cpu().numpy(), spans)[:, -1]
            self.value = torch.from_numpy(latest).to(sequence.device)

    def add(self, step: Tensor) -> Tensor:
        """Add the next step (batch, n); return the averages (batch, n * len(spans))."""
        self._count += 1
        weights = [_weight_of_latest(span, self._count) for span in self._spans]
        average = self.value.unflatten(-1, (len(self._spans), -1))
        weight = torch.tensor(weights, dtype=step.dtype, device=step.device)[:, None]
        self.value = (average + weight * (step.unsqueeze(1) - average)).flatten(1)
        return self.value

    def select(self, rows: Tensor) -> Self:
        """Return the averages of these rows of the batch (int64), which may be repeated."""
        selected = copy(self)
        selected.value = self.value[rows]
        return selected


class LaggingAverages:
    """The slow averages that go with the steps after a seed, of a batch; they lag by `delay`.

    Steps are counted from the end of the seed (batch, steps, n). Averages of up to `delay` steps
    ago can still be asked for.
    """

    def __init__(self, seed: Tensor, spans: Spans, *, delay: int) -> None:
        known = max(seed.shape[1] - delay, 0)
        self._n_unknown = max(delay - seed.shape[1], 0)
        self._running = SlowAverages(seed[:, :known], spans)
        self._waiting = deque(seed[:, known:].unbind(1))
        self._latest = -1
        self._values = deque([self._running.value], maxlen=delay + 1)

    def add(self, step: Tensor) -> None:
        """Add the next step (batch, n)."""
        self._waiting.append(step)

    def at(self, step: int) -> Tensor:
        """Return what goes with a step, (batch, n * len(spans))."""
        while self._latest < step:
            self._latest += 1
            if self._latest >= self._n_unknown:
                self._running.add(self._waiting.popleft())
            self._values.append(self._running.value)
        return self._values[step - self._latest - 1]

    def select(self, rows: Tensor) -> Self:
        """Return the averages of these rows of the batch (int64), which may be repeated."""
        selected = copy(self)
        selected._running = self._running.select(rows)
        selected._waiting = deque(step[rows] for step in self._waiting)
        *earlier, _ = self._values  # the last one is the running value
        values = [*(value[rows] for value in earlier), selected._running.value]
        selected._values = deque(values, maxlen=self._values.maxlen)
        return selected


def _weight_of_latest(span: Span, count: int) -> float:
    """Return the weight of the latest of `count` steps in their average."""
    if span == "all":
        return 1 / count
    return (1 / span) / (1 - (1 - 1 / span) ** count)
