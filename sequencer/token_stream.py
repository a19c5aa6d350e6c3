"""Sampling and hearing quantised steps, level by level, in the pattern of their head."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Self

import torch
from torch import Tensor

from sequencer.head import LEAST_TEMPERATURE, Listener, Stream
from sequencer.linear import ORDER
from sequencer.patterns import BLOCK
from sequencer.sampler import Sampler

if TYPE_CHECKING:
    from sequencer.tokens import TokensHead


class Memory:
    """The codes of the latest steps of a batch; steps are counted from the end of the seed.

    `seed` is (batch, steps, levels).
    """

    def __init__(self, head: TokensHead, seed: Tensor) -> None:
        self._head = head
        self._kept = max(head.levels, ORDER, 2 * BLOCK)
        self._codes = seed[:, -self._kept :]
        self._n_steps = 0  # after the seed

    def codes(self, step: int) -> Tensor:
        """Return the codes of a step, (batch, levels); all unknown before the seed began."""
        back = self._n_steps - step
        if back > self._codes.shape[1]:
            return torch.full_like(self._codes[:, 0], self._head.n_codes)
        return self._codes[:, -back]

    def add(self, codes: Tensor) -> None:
        """Add the next step, (batch, levels)."""
        self._codes = torch.cat([self._codes, codes[:, None]], dim=1)[:, -self._kept :]
        self._n_steps += 1

    def write(self, level: int, step: int, codes: Tensor) -> None:
        """Write one level of a step, (batch,); a step that is not there is added, unknown."""
        while step >= self._n_steps:
            self.add(torch.full_like(self._codes[:, 0], self._head.n_codes))
        self._codes[:, step - self._n_steps, level] = codes

    def inputs(self, place: int) -> Tensor:
        """Return what enters the architecture at a place, (batch, n_in)."""
        column = self._head.pattern.column(place)
        unknown = torch.full_like(self._codes[:, 0, 0], self._head.n_codes)
        latest = [
            unknown if step is None else self.codes(step)[:, level]
            for level, step in enumerate(column)
        ]
        return self._head.embed(torch.stack(latest, dim=-1))

    def predict(self, step: int) -> Tensor | None:
        """Predict a step's latents (batch, n) linearly from those before; None if never done."""
        if not self._head.predicts:
            return None
        past = self._codes[:, : self._codes.shape[1] - self._n_steps + step]
        return self._head.predict(past[:, -ORDER:])[:, -1]

    def select(self, rows: Tensor) -> Self:
        selected = copy(self)
        selected._codes = self._codes[rows]
        return selected


class TokenStream(Stream):
    """Samples the codes of the steps after a seed (batch, steps, levels)."""

    def __init__(self, head: TokensHead, seed: Tensor, sampler: Sampler) -> None:
        self._head = head
        self._sampler = sampler
        self._memory = Memory(head, seed)
        self._place = 0

    def step(self, hidden: Tensor) -> tuple[Tensor, Tensor | None]:
        head = self._head
        complete = None
        together = None if head.depth else self._draw_together(hidden)
        for level, step in enumerate(head.pattern.column(self._place)):
            if step is None or step < 0:  # the seed's levels are known
                continue
            drawn = self._draw(level, step, hidden) if together is None else together[:, level]
            self._memory.write(level, step, drawn)
            if level == head.levels - 1:
                restored = head.quantiser.restore(self._memory.codes(step))
                of_codec = head.quantiser.of_codec  # whose decoder knows all of its codes
                complete = restored if of_codec else self._sampler.clamp(restored)
        self._place += 1
        return self._memory.inputs(self._place - 1), complete

    def _draw(self, level: int, step: int, hidden: Tensor) -> Tensor:
        """Draw a level of a step, (batch,), knowing those below it."""
        if level == 0:
            self._predicted = self._memory.predict(step)
        known = self._memory.codes(step)
        logits = self._head.logits(level, hidden, known, self._predicted)
        return self._sampler.sample_categories(logits)

    def _draw_together(self, hidden: Tensor) -> Tensor:
        """Draw all levels, (batch, levels), of a head that tells none of those below it."""
        return self._sampler.sample_categories(self._head.all_logits(hidden))


class TokenListener(Listener):
    """Scores units by their lowest level; their other levels are settled when they are heard.

    `seed` is (1, steps, levels), `units` (M, levels), both codes.
    """

    def __init__(self, head: TokensHead, seed: Tensor, units: Tensor, temperature: float) -> None:
        self._head = head
        self._units = units
        self._temperature = max(temperature, LEAST_TEMPERATURE)
        self._memory = Memory(head, seed)
        self._n_steps = 0  # heard
        self._place = 0  # of the next input
        self._first = 0  # of the inputs of the latest `hear`

    def score(self, hidden: Tensor) -> Tensor:
        known = self._memory.codes(self._n_steps - 1)  # nothing is below level 0
        predicted = self._memory.predict(self._n_steps)
        return self._likelihood(0, hidden, known, predicted)[:, self._units[:, 0]]

    def hear(self, units: Tensor) -> Tensor:
        self._memory.add(self._units[units])
        self._n_steps += 1
        self._first = self._place
        inputs = []
        while self._head.pattern.step_at(self._place) < self._n_steps:
            inputs.append(self._memory.inputs(self._place))
            self._place += 1
        return torch.stack(inputs, dim=1)

    def settle(self, before: Tensor, hidden: Tensor) -> Tensor:
        total = hidden.new_zeros(len(hidden))
        states = [before, *hidden.unbind(1)]
        for place, state in enumerate(states, self._first):
            for level, step in enumerate(self._head.pattern.column(place)):
                if step is None or not self._settles(place, level, step):
                    continue
                codes = self._memory.codes(step)
                predicted = self._memory.predict(step)
                likelihood = self._likelihood(level, state, codes, predicted)
                total += likelihood.gather(1, codes[:, level, None])[:, 0]
        return total

    def _settles(self, place: int, level: int, step: int) -> bool:
        """Whether the level is known now, was not scored, and was not settled before."""
        latest = self._n_steps - 1
        if place == self._first:
            return level > 0 and step == latest
        return 0 <= step <= latest

    def select(self, rows: Tensor) -> Self:
        selected = copy(self)
        selected._memory = self._memory.select(rows)
        return selected

    def _likelihood(
        self, level: int, hidden: Tensor, codes: Tensor, predicted: Tensor | None
    ) -> Tensor:
        """Return the log-likelihood of each code of a level, (B, codes)."""
        logits = self._head.logits(level, hidden, codes, predicted)
        return (logits / self._temperature).log_softmax(-1)
