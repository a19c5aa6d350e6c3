"""Sampling of one step at a time, for the heads."""

import torch
from torch import Tensor

from sequencer.sampling import SamplingOptions


class Sampler:
    """Samples with given options, from one random generator.

    `low` and `high`, each shape (n,), are the range of the training data, z-scored.
    """

    def __init__(
        self, options: SamplingOptions, generator: torch.Generator, *, low: Tensor, high: Tensor
    ) -> None:
        self.temperature = options.temperature
        self.top_p = options.top_p
        self._generator = generator
        self._low = low
        self._high = high

    def clamp(self, steps: Tensor) -> Tensor:
        """Limit z-scored steps (..., n) to the range of the training data."""
        return steps.clamp(self._low, self._high)

    def sample_normal(self, *shape: int) -> Tensor:
        """Sample from the standard normal distribution, on the CPU."""
        return torch.randn(*shape, generator=self._generator)

    def sample_categories(self, logits: Tensor) -> Tensor:
        """Sample a category for each row of logits (..., rows, categories).

        Nucleus sampling (Holtzman et al. 2020, arXiv 1904.09751): from the likeliest categories
        that together have the probability `top_p`.

        Returns
        -------
        Tensor, int64, shape (..., rows)
        """
        if self.temperature == 0:
            return logits.argmax(-1)
        probabilities = (logits / self.temperature).softmax(-1)
        if self.top_p < 1:
            probabilities = _keep_nucleus(probabilities, self.top_p)
        rows = probabilities.flatten(0, -2).cpu()
        drawn = torch.multinomial(rows, 1, generator=self._generator)
        return drawn.view(logits.shape[:-1]).to(logits.device)


def _keep_nucleus(probabilities: Tensor, top_p: float) -> Tensor:
    """Zero all but the likeliest categories that together have the probability `top_p`."""
    ordered, order = probabilities.sort(dim=-1, descending=True)
    beyond = ordered.cumsum(-1) - ordered >= top_p  # the likeliest always stays
    kept = ordered.masked_fill(beyond, 0.0)
    return torch.zeros_like(probabilities).scatter(-1, order, kept)
