"""What a head is: how sequences enter a body, what its hidden states say about the next step, and
how that is drawn.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from sequencer.linear import ORDER


@dataclass(frozen=True)
class Draw:
    """How to draw: `temperature` 0 takes the likeliest, 1 draws as learned; only the likeliest that
    make up `top_p` count.
    """

    temperature: float
    top_p: float
    generator: torch.Generator
    hold: Callable[[Tensor], Tensor]  # keeps z-scored steps within the range of the training data


class Stream:
    """Draws a rollout after a seed: takes the body's hidden state, gives its next input, and each
    step once it is whole.
    """

    def step(self, hidden: Tensor) -> tuple[Tensor, Tensor | None]:
        """hidden (batch, hidden_size) -> next input (batch, n_in), and a z-scored step (batch, n),
        None while none is whole.
        """
        raise NotImplementedError


class Head(nn.Module):
    """Base of the heads; n is the number of independent descriptor columns.

    Attributes
    ----------
    delay : int
        Body steps between the first and the last part of a step.
    loss_unit : str
        What the loss is measured in.
    """

    delay: int = 0
    loss_unit: str = "nats per step"

    @staticmethod
    def input_size(n: int) -> int:
        """Width of what the body is given."""
        return n

    @staticmethod
    def sizes(n_steps: int) -> dict[str, Any]:
        """Those of its sizes that depend on how many steps it is trained on, by the names of its
        parameters.
        """
        return {}

    def fit(self, sequences: list[Tensor]) -> None:
        """Prepare on all z-scored training sequences, each (steps, n), before training."""

    def encode(self, sequence: Tensor) -> Tensor:
        """z-scored (batch, steps, n) -> body inputs (batch, steps, n_in)."""
        return sequence

    def loss(self, hidden: Tensor, sequence: Tensor, mask: Tensor) -> Tensor:
        """Sum of the loss over the real targets.

        Parameters
        ----------
        hidden : Tensor, shape (batch, steps, hidden_size)
            The body's, for the latest inputs of `encode(sequence)[:, :-1]`.
        sequence : Tensor, shape (batch, context + steps + 1, n), z-scored
        mask : Tensor, shape (batch, steps)
            1 where the target, one step on, is real.
        """
        raise NotImplementedError

    def expectation(self, hidden: Tensor, sequence: Tensor) -> Tensor | None:
        """Mean of what follows each of the latest steps of `sequence` (batch, steps, n), for as
        many as `hidden` has.

        None if it is not to be had in one step.
        """
        return None

    def start(self, seed: Tensor, draw: Draw) -> Stream:
        """A stream that goes on after a z-scored seed (batch, steps, n)."""
        raise NotImplementedError


class DrawnSteps(Stream):
    """The stream of a head that draws whole steps, given the last `ORDER` ones (batch, ORDER, n)."""

    def __init__(
        self, sample: Callable[[Tensor, Tensor, Draw], Tensor], seed: Tensor, draw: Draw
    ) -> None:
        self._sample = sample
        self._recent = seed[:, -ORDER:]
        self._draw = draw

    def step(self, hidden: Tensor) -> tuple[Tensor, Tensor | None]:
        step = self._draw.hold(self._sample(hidden, self._recent, self._draw))
        self._recent = torch.cat([self._recent[:, 1:], step[:, None]], dim=1)
        return step, step


def draw_categories(logits: Tensor, draw: Draw) -> Tensor:
    """Draw one category for each row of logits (..., rows, categories), int64 (..., rows): nucleus
    sampling.

    Holtzman et al. 2020, arXiv 1904.09751: of the likeliest that together make up `top_p`.
    """
    if draw.temperature == 0:
        return logits.argmax(-1)
    probabilities = (logits / draw.temperature).softmax(-1)
    if draw.top_p < 1:
        ordered, order = probabilities.sort(dim=-1, descending=True)
        beyond = ordered.cumsum(-1) - ordered >= draw.top_p  # the likeliest always stays
        probabilities = torch.zeros_like(probabilities).scatter(
            -1, order, ordered.masked_fill(beyond, 0.0)
        )
    drawn = torch.multinomial(probabilities.flatten(0, -2).cpu(), 1, generator=draw.generator)
    return drawn.view(logits.shape[:-1]).to(logits.device)
