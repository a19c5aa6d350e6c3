"""Sampling and hearing quantised steps, level by level, in the pattern of their head."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Self

import torch
from torch import Tensor

from sequencer.head import LEAST_TEMPERATURE, Listener, Stream
from sequencer.innovations import code_innovation
from sequencer.linear import ORDER, predict_linearly
from sequencer.patterns import BLOCK
from sequencer.sampler import Sampler

if TYPE_CHECKING:
    from sequencer.tokens import TokensHead


class Memory:
    """The latest steps of a batch and their codes; steps are counted from the end of the seed.

    `seed` is z-scored, (batch, steps, n).
    """

    def __init__(self, head: TokensHead, seed: Tensor) -> None:
        self._head = head
        self._kept = max(head.levels, ORDER, 2 * BLOCK)
        codes, said = head.code(seed)
        self._codes = codes[:, -self._kept :]
        before = said[:, :1].expand(-1, ORDER, -1)
        self._steps = torch.cat([before, said], dim=1)[:, -ORDER:]  # those that are whole
        self._n_whole = 0  # after the seed
        self._n_steps = 0  # of which some levels are known

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

    def add_step(self, step: Tensor) -> None:
        """Add the next step once it is whole, (batch, n)."""
        self._steps = torch.cat([self._steps, step[:, None]], dim=1)[:, -ORDER:]
        self._n_whole += 1

    def hear(self, step: Tensor) -> None:
        """Code and add the next step, (batch, n)."""
        if self._head.innovates:
            head = self._head
            codes, step = code_innovation(head.quantiser, head.prediction, self._steps, step)
        else:
            codes = self._head.quantiser.quantise(step)
        self.add(codes)
        self.add_step(step)

    def expected(self) -> Tensor:
        """Return the linear prediction of the next step, (batch, n); 0 of steps coded as such."""
        if not self._head.innovates:
            return torch.zeros_like(self._steps[:, -1])
        return predict_linearly(self._head.prediction, self._steps)[:, -1]

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
        inputs = self._head.embed(torch.stack(latest, dim=-1))
        if self._head.innovates:
            last = column[-1]
            whole = self._head.pattern.step_at(place) - 1 if last is None else last
            inputs = inputs + self._head.step(self._steps[:, whole - self._n_whole])
        return inputs

    def predict(self, step: int) -> Tensor | None:
        """Predict a step's latents (batch, n) linearly from those before; None if never done."""
        if not self._head.predicts:
            return None
        past = self._codes[:, : self._codes.shape[1] - self._n_steps + step]
        return self._head.predict(past[:, -ORDER:])[:, -1]

    def select(self, rows: Tensor) -> Self:
        selected = copy(self)
        selected._codes = self._codes[rows]
        selected._steps = self._steps[rows]
        return selected


class TokenStream(Stream):
    """Samples the codes of the steps after a z-scored seed (batch, steps, n)."""

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
                complete = self._complete(self._memory.codes(step))
        self._place += 1
        return self._memory.inputs(self._place - 1), complete

    def _complete(self, codes: Tensor) -> Tensor:
        """Return the next step, (batch, n), of which all levels are known."""
        step = self._head.quantiser.restore(codes)
        if self._head.innovates:
            step = step + self._memory.expected()
        if not self._head.quantiser.of_codec:  # a codec's decoder knows all of its codes
            step = self._sampler.clamp(step)
        self._memory.add_step(step)
        return step

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

    `seed` is (1, steps, n), `units` (M, n), both z-scored.
    """

    def __init__(self, head: TokensHead, seed: Tensor, units: Tensor, temperature: float) -> None:
        self._head = head
        self._units = units
        self._codes = None if head.innovates else head.quantiser.quantise(units)
        self._temperature = max(temperature, LEAST_TEMPERATURE)
        self._memory = Memory(head, seed)
        self._n_steps = 0  # heard
        self._place = 0  # of the next input
        self._first = 0  # of the inputs of the latest `hear`

    def score(self, hidden: Tensor) -> Tensor:
        known = self._memory.codes(self._n_steps - 1)  # nothing is below level 0
        predicted = self._memory.predict(self._n_steps)
        likelihood = self._likelihood(0, hidden, known, predicted)
        if self._codes is not None:
            return likelihood[:, self._codes[:, 0]]
        return likelihood.gather(1, self._lowest_codes())

    def _lowest_codes(self) -> Tensor:
        """Return level 0 of each unit as the next step of each hypothesis, (B, M)."""
        keys = self._head.quantiser.keys(0)
        from_units = 0.5 * (keys**2).sum(-1) - self._units @ keys.T  # (M, codes)
        from_past = self._memory.expected() @ keys.T  # (B, codes)
        return torch.stack([(from_units + row).argmin(-1) for row in from_past])

    def hear(self, units: Tensor) -> Tensor:
        self._memory.hear(self._units[units])
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
