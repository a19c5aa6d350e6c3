"""Base class of the heads: how steps enter an architecture, how the next one is distributed."""

from collections.abc import Callable
from copy import copy
from typing import Any, Self

import torch
from torch import Tensor, nn

from sequencer.linear import ORDER
from sequencer.sampler import Sampler

LEAST_TEMPERATURE = 0.01  # of scores; at 0 every unit but the likeliest would be impossible


class Stream:
    """Samples the continuation of a seed, one step of the architecture at a time."""

    def step(self, hidden: Tensor) -> tuple[Tensor, Tensor | None]:
        """Sample from the hidden state (batch, hidden_size).

        Returns
        -------
        next_input : Tensor, shape (batch, n_in)
        step : Tensor, shape (batch, n), z-scored, or None while no step is complete
        """
        raise NotImplementedError


class Listener:
    """Scores M units as the next step of B hypotheses, and hears which of them are played."""

    def score(self, hidden: Tensor) -> Tensor:
        """Return the log-likelihood (B, M) of each unit, of hidden states (B, hidden_size).

        In nats; of the tokens head only of the lowest level, see `settle`.
        """
        raise NotImplementedError

    def hear(self, units: Tensor) -> Tensor:
        """Hear the unit (B,), int64, of each hypothesis; return the next inputs.

        (B, places, n_in): one place but for some patterns of the tokens head.
        """
        raise NotImplementedError

    def settle(self, before: Tensor, hidden: Tensor) -> Tensor:
        """Return the log-likelihood (B,) of what is known since the last unit, beside its score.

        `before` (B, hidden_size) is what the unit was scored by, `hidden` (B, places, hidden_size)
        follows the inputs from `hear`.
        """
        return before.new_zeros(len(before))

    def select(self, rows: Tensor) -> Self:
        """Return a listener to these hypotheses (int64), which may be repeated."""
        raise NotImplementedError


class Head(nn.Module):
    """Base of the heads; n is the number of independent descriptor columns.

    Attributes
    ----------
    delay : int
        Steps by which the slow averages lag, to be of whole steps only.
    n_following : int
        Units after each candidate that the head scores it by.
    forecasts : bool
        False if it only chooses among units, and has no distribution to sample a step from.
    """

    delay: int = 0
    n_following: int = 0
    forecasts: bool = True

    @staticmethod
    def input_size(n: int) -> int:
        """Return the width of the architecture's input."""
        return n

    @staticmethod
    def sizes_for(n_steps: int) -> dict[str, Any]:
        """Return the sizes that depend on the number of training steps, as keyword arguments."""
        return {}

    def name_columns(self, names: list[str]) -> None:
        """Take the names of the n columns; called once, before anything else."""

    def fit(self, sequences: list[Tensor]) -> None:
        """Prepare on all z-scored training sequences, each (steps, n), before training."""

    def encode(self, sequence: Tensor, n_seed: int | None = None) -> Tensor:
        """Turn z-scored steps (batch, steps, n) into inputs (batch, places, n_in).

        A place is a step of the architecture; there are as many as steps, but for some patterns of
        the tokens head. `n_seed` steps are the seed, by default all.
        """
        return sequence

    def spread(self, averages: Tensor, n_seed: int) -> Tensor:
        """Return what goes with each place, of the averages (batch, steps, …) of each step."""
        return averages

    def n_primed(self, n_context: int) -> int:
        """Return the number of places before the last one of a seed of `n_context` + 1 steps."""
        return n_context

    def step_at(self, place: int) -> int:
        """Return the step that a place belongs to; both are counted from the end of a seed."""
        return place

    def loss(self, hidden: Tensor, sequence: Tensor, mask: Tensor) -> Tensor:
        """Return the loss summed over the real targets.

        Parameters
        ----------
        hidden : Tensor, shape (batch, places, hidden_size)
            For the latest inputs of `encode(sequence[:, :-1], context + 1)`.
        sequence : Tensor, shape (batch, context + steps + 1, n), z-scored
        mask : Tensor, shape (batch, steps)
            1 where the target, the next step, is real.
        """
        raise NotImplementedError

    def learnt(self, sequence: Tensor, mask: Tensor) -> Tensor:
        """Return the mask of the targets that are learnt from; parameters as of `loss`."""
        return mask

    def expectation(self, hidden: Tensor, sequence: Tensor) -> Tensor | None:
        """Return the mean of the step after each of the latest steps of `sequence`.

        `hidden` is (batch, steps, hidden_size), `sequence` at least as long. None if the head has
        no closed form.
        """
        return None

    def start(self, seed: Tensor, sampler: Sampler) -> Stream:
        """Return a stream that continues a z-scored seed (batch, steps, n)."""
        raise NotImplementedError

    def affinities(self, hidden: Tensor, units: Tensor, following: Tensor) -> Tensor:
        """Return how well units go with a past, now or a little later, in nats up to a constant.

        Only of a head that does not forecast.

        Parameters
        ----------
        hidden : Tensor, shape (hidden_size,)
        units, following : Tensor
            As in `listen`.

        Returns
        -------
        Tensor, shape (M,)
        """
        raise NotImplementedError

    def listen(
        self,
        seed: Tensor,
        units: Tensor,
        following: Tensor,
        *,
        temperature: float,
        loss: float | None = None,
    ) -> Listener:
        """Return a listener to one hypothesis, a z-scored seed (1, steps, n).

        Parameters
        ----------
        units : Tensor, shape (M, n), z-scored
        following : Tensor, shape (M, n_following, n), z-scored
            The units that follow each in its source, NaN where it has ended.
        temperature : float
            As in sampling. At 0, the limit, densities are taken at `LEAST_TEMPERATURE`.
        loss : float, optional
            The validation loss, if it is known.
        """
        raise NotImplementedError


class StepStream(Stream):
    """The stream of a head that samples whole steps.

    `sample` takes the hidden state, the last `ORDER` steps (batch, ORDER, n) and the sampler.
    """

    def __init__(
        self, sample: Callable[[Tensor, Tensor, Sampler], Tensor], seed: Tensor, sampler: Sampler
    ) -> None:
        self._sample = sample
        self._recent = seed[:, -ORDER:]
        self._sampler = sampler

    def step(self, hidden: Tensor) -> tuple[Tensor, Tensor | None]:
        step = self._sampler.clamp(self._sample(hidden, self._recent, self._sampler))
        self._recent = torch.cat([self._recent[:, 1:], step[:, None]], dim=1)
        return step, step


class StepListener(Listener):
    """The listener of a head that scores whole steps.

    `score` takes the hidden states and the last `ORDER` steps (B, ORDER, n). Before the first step
    of the seed, that step is repeated.
    """

    def __init__(
        self, score: Callable[[Tensor, Tensor], Tensor], seed: Tensor, units: Tensor
    ) -> None:
        self._score = score
        before = seed[:, :1].expand(-1, ORDER, -1)
        self._recent = torch.cat([before, seed], dim=1)[:, -ORDER:]
        self._units = units

    def score(self, hidden: Tensor) -> Tensor:
        return self._score(hidden, self._recent)

    def hear(self, units: Tensor) -> Tensor:
        steps = self._units[units]
        self._recent = torch.cat([self._recent[:, 1:], steps[:, None]], dim=1)
        return steps[:, None]

    def select(self, rows: Tensor) -> Self:
        selected = copy(self)
        selected._recent = self._recent[rows]
        return selected
