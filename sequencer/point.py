"""Point head: one value for each descriptor, trained on squared error, as the original's
forecasters.

It learns the mean of all that could follow, and rollouts fed with their own means fall asleep. It
is here to be compared with.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from sequencer.head import Draw, DrawnSteps, Head, Stream


class PointHead(Head):
    """hidden (..., hidden_size) -> the next step (..., n)."""

    loss_unit = "squared error"

    def __init__(self, hidden_size: int, n: int) -> None:
        super().__init__()
        self.projection = nn.Linear(hidden_size, n)

    def loss(self, hidden: Tensor, sequence: Tensor, mask: Tensor) -> Tensor:
        """Squared error, mean over the descriptors."""
        error = F.mse_loss(
            self.projection(hidden), sequence[:, -hidden.shape[1] :], reduction="none"
        ).mean(-1)
        return (error * mask).sum()

    def expectation(self, hidden: Tensor, sequence: Tensor) -> Tensor:
        return self.projection(hidden)

    def start(self, seed: Tensor, draw: Draw) -> Stream:
        """There is nothing to draw: temperature and top_p change nothing."""
        return DrawnSteps(lambda hidden, recent, draw: self.projection(hidden), seed, draw)
