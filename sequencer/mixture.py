"""Gaussian mixture head (Bishop 1994, Mixture Density Networks): a distribution over the next step,
not one point.

A head trained on squared error predicts the mean of all that could follow, and its rollouts fall
asleep. This one is trained on likelihood and sampled.

The means stand on the linear prediction from the last steps, fitted in closed form before training:
overlapping frames make most of a step predictable in that way, and the network's part is how far,
and in which directions, it may go elsewhere. With the current step as ground, rollouts are a random
walk that leaves the data; with none, one step is worse than no change.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sequencer.head import Draw, DrawnSteps, Head, Stream, draw_categories
from sequencer.linear import ORDER, fit_linear_prediction

MIN_STD = (
    0.02  # of a z-scored descriptor: repeated frames would otherwise earn unbounded likelihood
)


class MixtureHead(Head):
    """hidden (..., hidden_size) -> mixture parameters; diagonal Gaussians over the n values of the
    next step.
    """

    prediction: Tensor

    def __init__(self, hidden_size: int, n: int, *, n_components: int = 8) -> None:
        super().__init__()
        self.n = n
        self.n_components = n_components
        self.projection = nn.Linear(hidden_size, n_components * (1 + 2 * n))
        self.register_buffer("prediction", torch.zeros(ORDER * n + 1, n))

    def fit(self, sequences: list[Tensor]) -> None:
        self.prediction.copy_(
            torch.from_numpy(fit_linear_prediction([s.numpy() for s in sequences]))
        )

    def ground(self, sequence: Tensor) -> Tensor:
        """Linear prediction of what follows each step, (batch, steps, n) -> the same; before the
        first step all was as then.
        """
        before = sequence[:, :1].expand(-1, ORDER - 1, -1)
        recent = torch.cat([before, sequence], dim=1).unfold(
            1, ORDER, 1
        )  # (batch, steps, n, ORDER)
        return recent.transpose(2, 3).flatten(2) @ self.prediction[:-1] + self.prediction[-1]

    def forward(self, hidden: Tensor, ground: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logits (..., components), means and standard deviations (..., components, n)."""
        n_values = self.n_components * self.n
        logits, *values = self.projection(hidden).split(
            [self.n_components, n_values, n_values], dim=-1
        )
        away, std = (value.view(*logits.shape, self.n) for value in values)
        return logits, ground.unsqueeze(-2) + away, F.softplus(std) + MIN_STD

    def log_likelihood(self, hidden: Tensor, ground: Tensor, following: Tensor) -> Tensor:
        """Log density of the next step `following` (..., n) in nats, shape (...)."""
        logits, mean, std = self(hidden, ground)
        standard = (following.unsqueeze(-2) - mean) / std
        component = -0.5 * (standard**2 + math.log(2 * math.pi)).sum(-1) - std.log().sum(-1)
        return torch.logsumexp(logits.log_softmax(-1) + component, dim=-1)

    def loss(self, hidden: Tensor, sequence: Tensor, mask: Tensor) -> Tensor:
        """Negative log-likelihood in nats."""
        ground = self.ground(sequence[:, :-1])
        steps = hidden.shape[1]
        return -(self.log_likelihood(hidden, ground[:, -steps:], sequence[:, -steps:]) * mask).sum()

    def expectation(self, hidden: Tensor, sequence: Tensor) -> Tensor:
        logits, mean, _ = self(hidden, self.ground(sequence)[:, -hidden.shape[1] :])
        return (logits.softmax(-1).unsqueeze(-1) * mean).sum(-2)

    def start(self, seed: Tensor, draw: Draw) -> Stream:
        return DrawnSteps(self.sample, seed, draw)

    def sample(self, hidden: Tensor, recent: Tensor, draw: Draw) -> Tensor:
        """Draw the next step, (batch, n), after the last steps `recent` (batch, steps, n).

        The temperature divides the component logits and multiplies the standard deviations; 0 takes
        the mean of the likeliest component.
        """
        logits, mean, std = self(hidden, self.ground(recent)[:, -1])
        index = draw_categories(logits, draw)[:, None, None].expand(-1, 1, self.n)
        noise = torch.randn(mean.shape[0], self.n, generator=draw.generator).to(mean.device)
        return (
            mean.gather(1, index).squeeze(1)
            + draw.temperature * std.gather(1, index).squeeze(1) * noise
        )
