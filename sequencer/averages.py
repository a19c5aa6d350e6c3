"""Slow averages of a sequence, a cheap memory of what it has been like so far.

An architecture trained on excerpts of a few seconds forgets what a piece was like a minute ago, and
its rollouts drift to the middle of the corpus. Each step therefore comes with exponential averages
over about `SPANS` steps. Early in a sequence they are plain means (the bias correction of Kingma &
Ba 2015, arXiv 1412.6980).
"""

import numpy as np
import torch
from scipy.signal import lfilter
from torch import Tensor

SPANS = (64, 512)  # steps: 1.5 s and 12 s of frames


def slow_averages(sequence: np.ndarray, *, delay: int = 0) -> np.ndarray:
    """Average each step of a sequence with those before it, over each of the `SPANS`.

    Parameters
    ----------
    sequence : ndarray, shape (..., steps, n)
    delay : int
        Steps by which the averages lag; those before the first step are 0.

    Returns
    -------
    ndarray, float32, shape (..., steps, n * len(SPANS))
    """
    steps = sequence.shape[-2]
    known = sequence[..., : max(steps - delay, 0), :].astype(np.float64)
    count = np.arange(1, known.shape[-2] + 1)[:, None]
    parts = []
    for span in SPANS:
        filtered = lfilter([1 / span], [1, 1 / span - 1], known, axis=-2)
        parts.append(filtered / (1 - (1 - 1 / span) ** count))
    width = sequence.shape[-1] * len(SPANS)
    averages = np.zeros((*sequence.shape[:-1], width), np.float32)
    n_unknown = steps - known.shape[-2]
    averages[..., n_unknown:, :] = np.concatenate(parts, axis=-1)
    return averages


class SlowAverages:
    """The slow averages of a growing batch of sequences (batch, steps, n)."""

    def __init__(self, sequence: Tensor) -> None:
        self._count = sequence.shape[1]
        latest = torch.from_numpy(slow_averages(sequence.cpu().numpy())[:, -1])
        self.value = latest.to(sequence.device)

    def add(self, step: Tensor) -> Tensor:
        """Add the next step (batch, n); return the averages (batch, n * len(SPANS))."""
        self._count += 1
        weights = [(1 / span) / (1 - (1 - 1 / span) ** self._count) for span in SPANS]
        average = self.value.unflatten(-1, (len(SPANS), -1))
        weight = torch.tensor(weights, dtype=step.dtype, device=step.device)[:, None]
        self.value = (average + weight * (step.unsqueeze(1) - average)).flatten(1)
        return self.value
