"""Gaussian mixture head (Bishop 1994, Mixture Density Networks): a distribution of the next step.

A head trained on squared error predicts the mean of all that could follow, and its rollouts
collapse to the mean. This one is trained on likelihood and sampled.

The means are added to the linear prediction from the last steps, fitted in closed form before
training. Overlapping frames make most of a step linearly predictable; the network learns how far,
and in which directions, the next step may deviate. If the means were added to the current step
instead, rollouts would be a random walk that leaves the data; if they were added to nothing, the
network would predict the next step worse than persistence does.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sequencer.head import LEAST_TEMPERATURE, Head, Listener, StepListener, StepStream, Stream
from sequencer.linear import ORDER, fit_linear_prediction, predict_linearly
from sequencer.sampler import Sampler
from sequencer.sizes import Sizes

MIN_STD = 0.02  # of a z-scored descriptor; bounds the likelihood of repeated frames


@dataclass(frozen=True)
class MixtureSizes(Sizes):
    """Sizes of the head."""

    n_components: int = 8


class MixtureHead(Head):
    """hidden (..., hidden_size) -> a mixture of diagonal Gaussians over the next step (..., n)."""

    prediction: Tensor

    def __init__(self, hidden_size: int, n: int, *, n_components: int) -> None:
        super().__init__()
        self.n = n
        self.n_components = n_components
        self.projection = nn.Linear(hidden_size, n_components * (1 + 2 * n))
        self.register_buffer("prediction", torch.zeros(ORDER * n + 1, n))

    def fit(self, sequences: list[Tensor]) -> None:
        weights = fit_linear_prediction([sequence.numpy() for sequence in sequences])
        self.prediction.copy_(torch.from_numpy(weights))

    def predict(self, sequence: Tensor) -> Tensor:
        """Predict linearly what follows each step, (batch, steps, n) -> (batch, steps, n)."""
        return predict_linearly(self.prediction, sequence)

    def forward(self, hidden: Tensor, predicted: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return logits (..., components), means and standard deviations (..., components, n)."""
        n_values = self.n_components * self.n
        logits, *values = self.projection(hidden).split(
            [self.n_components, n_values, n_values], dim=-1
        )
        offset, std = (value.view(*logits.shape, self.n) for value in values)
        return logits, predicted.unsqueeze(-2) + offset, F.softplus(std) + MIN_STD

    def log_likelihood(self, hidden: Tensor, predicted: Tensor, following: Tensor) -> Tensor:
        """Return the log density of the next step `following` (..., n) in nats, shape (...)."""
        logits, mean, std = self(hidden, predicted)
        standard = (following.unsqueeze(-2) - mean) / std
        squares = (standard**2 + math.log(2 * math.pi)).sum(-1)
        component = -0.5 * squares - std.log().sum(-1)
        return torch.logsumexp(logits.log_softmax(-1) + component, dim=-1)

    def loss(self, hidden: Tensor, sequence: Tensor, mask: Tensor) -> Tensor:
        """Negative log likelihood."""
        steps = hidden.shape[1]
        predicted = self.predict(sequence[:, :-1])[:, -steps:]
        likelihood = self.log_likelihood(hidden, predicted, sequence[:, -steps:])
        return -(likelihood * mask).sum()

    def expectation(self, hidden: Tensor, sequence: Tensor) -> Tensor:
        steps = hidden.shape[1]
        logits, mean, _ = self(hidden, self.predict(sequence)[:, -steps:])
        return (logits.softmax(-1).unsqueeze(-1) * mean).sum(-2)

    def start(self, seed: Tensor, sampler: Sampler) -> Stream:
        return StepStream(self.sample, seed, sampler)

    def sample(self, hidden: Tensor, recent: Tensor, sampler: Sampler) -> Tensor:
        """Sample the next step, (batch, n), after the last steps `recent` (batch, steps, n).

        The temperature divides the logits and multiplies the standard deviations; at 0 it is the
        mean of the likeliest component.
        """
        logits, mean, std = self(hidden, self.predict(recent)[:, -1])
        component = sampler.sample_categories(logits)
        index = component[:, None, None].expand(-1, 1, self.n)
        noise = sampler.sample_normal(mean.shape[0], self.n).to(mean.device)
        mean = mean.gather(1, index).squeeze(1)
        std = std.gather(1, index).squeeze(1)
        return mean + sampler.temperature * std * noise

    def listen(
        self,
        seed: Tensor,
        units: Tensor,
        following: Tensor,
        *,
        temperature: float,
        loss: float | None = None,
    ) -> Listener:
        # x² and x, (2 * n, M)
        powers = torch.cat([units**2, units], dim=1).double().T.contiguous()

        def score(hidden: Tensor, recent: Tensor) -> Tensor:
            return self.score(hidden, recent, powers, temperature)

        return StepListener(score, seed, units)

    def score(self, hidden: Tensor, recent: Tensor, powers: Tensor, temperature: float) -> Tensor:
        """Return the log density of M units as the next step of B hypotheses, (B, M).

        (x - m)² / s² = x² (1 / s²) + x (-2 m / s²) + m² / s², summed over the descriptors, is one
        product of matrices for all units and components. Its terms are much larger than their sum
        where a standard deviation is small, so they are float64. The temperature is that of
        `sample`; at 0 there is only the likeliest component, and units rank by their distance from
        its mean.

        Parameters
        ----------
        hidden : Tensor, shape (B, hidden_size)
        recent : Tensor, shape (B, ORDER, n)
        powers : Tensor, float64, shape (2 * n, M)
            The units squared, and the units.
        """
        logits, mean, std = self(hidden, self.predict(recent)[:, -1])
        if temperature == 0:
            logits = logits.masked_fill(logits < logits.amax(-1, keepdim=True), -math.inf)
        temperature = max(temperature, LEAST_TEMPERATURE)
        mean = mean.double()
        std = std.double() * temperature
        precision = std**-2
        factors = torch.cat([precision, -2 * mean * precision], dim=-1)  # (B, components, 2 * n)
        squares = factors @ powers + (mean**2 * precision).sum(-1, keepdim=True)
        norm = std.log().sum(-1) + 0.5 * self.n * math.log(2 * math.pi)
        weight = (logits / temperature).log_softmax(-1) - norm
        return (weight.unsqueeze(-1) - 0.5 * squares).logsumexp(dim=1).float()
