"""Slow averages of a sequence: what has been heard so far, beside what is heard now.

A body trained on excerpts of a few seconds forgets what a piece sounded like a minute ago, and its
rollouts wander to the middle of the corpus. Exponential averages over about `STEPS` steps, given to
the body with each step, are a memory that costs nothing. Early in a sequence they are plain means
(the bias correction of Kingma & Ba 2015, arXiv 1412.6980).
"""

import numpy as np
import torch
from scipy.signal import lfilter
from torch import Tensor

STEPS = (64, 512)  # 1.5 s and 12 s of frames


def slow_averages(sequence: np.ndarray, *, delay: int = 0) -> np.ndarray:
    """(…, steps, n) -> averages up to and with the step `delay` steps ago, (…, steps, n ·
    len(STEPS)), float32; 0 before it.
    """
    steps = sequence.shape[-2]
    known = sequence[..., : max(steps - delay, 0), :].astype(np.float64)
    count = np.arange(1, known.shape[-2] + 1)[:, None]
    parts = [
        lfilter([1 / span], [1, 1 / span - 1], known, axis=-2) / (1 - (1 - 1 / span) ** count)
        for span in STEPS
    ]
    averages = np.zeros((*sequence.shape[:-1], sequence.shape[-1] * len(STEPS)), np.float32)
    averages[..., steps - known.shape[-2] :, :] = np.concatenate(parts, axis=-1)
    return averages


class SlowAverages:
    """The same, step by step, for sequences (batch, steps, n) side by side that go on."""

    def __init__(self, sequence: Tensor) -> None:
        self._count = sequence.shape[1]
        self.value = torch.from_numpy(slow_averages(sequence.cpu().numpy())[:, -1]).to(
            sequence.device
        )

    def add(self, step: Tensor) -> Tensor:
        """Take the next step (batch, n) in; averages (batch, n · len(STEPS))."""
        self._count += 1
        weights = [(1 / span) / (1 - (1 - 1 / span) ** self._count) for span in STEPS]
        average = self.value.unflatten(-1, (len(STEPS), -1))
        weight = torch.tensor(weights, dtype=step.dtype, device=step.device)[:, None]
        self.value = (average + weight * (step.unsqueeze(1) - average)).flatten(1)
        return self.value
