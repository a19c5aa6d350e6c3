"""Point head: one value for each descriptor, trained on squared error, as in the original.

It learns the mean of all possible continuations, so rollouts collapse to the mean. It is kept for
comparison.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from sequencer.head import Head, StepStream, Stream
from sequencer.sampler import Sampler


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
