"""Point head: one value for each descriptor, trained on squared error, as in the original.

It learns the mean of all possible continuations, so rollouts collapse to the mean. It is kept for
comparison.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sequencer.head import LEAST_TEMPERATURE, Head, Listener, StepListener, StepStream, Stream
from sequencer.sampler import Sampler

LEAST_VARIANCE = 1e-4  # of a z-scored descriptor


class PointHead(Head):
    """hidden (..., hidden_size) -> the next step (..., n)."""

    def __init__(self, hidden_size: int, n: int) -> None:
        super().__init__()
        self.projection = nn.Linear(hidden_size, n)

    def loss(self, hidden: Tensor, sequence: Tensor, mask: Tensor) -> Tensor:
        """Return the squared error, mean over the descriptors, summed over the real targets."""
        targets = sequence[:, -hidden.shape[1] :]
        error = F.mse_loss(self.projection(hidden), targets, reduction="none").mean(-1)
        return (error * mask).sum()

    def expectation(self, hidden: Tensor, sequence: Tensor) -> Tensor:
        return self.projection(hidden)

    def start(self, seed: Tensor, sampler: Sampler) -> Stream:
        """Return a stream that is not random: temperature and top_p have no effect."""
        return StepStream(lambda hidden, recent, sampler: self.projection(hidden), seed, sampler)

    def listen(
        self,
        seed: Tensor,
        units: Tensor,
        following: Tensor,
        *,
        temperature: float,
        loss: float | None = None,
    ) -> Listener:
        """Score by a Gaussian around the value, as wide as the validation error; of 1 if unknown.

        The temperature multiplies its standard deviation.
        """
        variance = max(1.0 if loss is None else loss, LEAST_VARIANCE)
        variance *= max(temperature, LEAST_TEMPERATURE) ** 2
        constant = -0.5 * units.shape[1] * math.log(2 * math.pi * variance)

        def score(hidden: Tensor, recent: Tensor) -> Tensor:
            distance = torch.cdist(
                self.projection(hidden), units, compute_mode="donot_use_mm_for_euclid_dist"
            )
            return constant - distance**2 / (2 * variance)

        return StepListener(score, seed, units)
