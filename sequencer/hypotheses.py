"""Hypotheses of a search that have heard equally many steps, as one batch."""

from collections import deque
from copy import copy
from typing import Self

import numpy as np
import torch
from torch import Tensor

from sequencer.averages import SlowAverages, slow_averages
from sequencer.condition import Conditions, TrackCondition
from sequencer.forecaster import Forecaster


class HypothesisGroup:
    """Hypotheses that have heard equally many steps: what the forecaster remembers of each."""

    def __init__(
        self,
        forecaster: Forecaster,
        seed: Tensor,
        units: Tensor,
        following: Tensor,
        temperature: float,
        conditions: Conditions | None,
    ) -> None:
        """Take one hypothesis, a seed (1, steps, n), and units (M, n) with what follows each.

        All z-scored; see `Head.listen`.
        """
        head = forecaster.head
        spans = forecaster.config.spans
        self._forecaster = forecaster
        self._architecture = forecaster.architecture
        self._conditions = conditions
        self._n_steps = 0  # since the end of the seed
        self._units = units
        loss = forecaster.config.training.get("validation_loss")
        self._listener = head.listen(seed, units, following, temperature=temperature, loss=loss)
        averages = torch.from_numpy(slow_averages(seed.cpu().numpy(), spans, delay=head.delay))
        rows = conditions.of_seed() if conditions else None
        inputs = forecaster.join(head.encode(seed), averages.to(seed.device), rows)
        state = self._architecture.prime(inputs[:, :-1])
        hidden, self._state = self._architecture(inputs[:, -1:], state)
        self._hidden = hidden[:, -1]
        # The averages lag behind the steps by the head's delay.
        known = max(seed.shape[1] - head.delay, 0)
        self._averages = SlowAverages(seed[:, :known], spans)
        self._waiting = deque(seed[:, known:].unbind(1))
        self._delay = head.delay

    def scores(self) -> Tensor:
        """Return the log-likelihood of each unit as the next step, (batch, M)."""
        return self._listener.score(self._hidden)

    def select(self, rows: Tensor) -> Self:
        """Return these hypotheses (int64), which may be repeated."""
        selected = copy(self)
        selected._listener = self._listener.select(rows)
        selected._averages = self._averages.select(rows)
        selected._waiting = deque(step[rows] for step in self._waiting)
        selected._state = self._architecture.select(self._state, rows)
        selected._hidden = self._hidden[rows]
        return selected

    def hear(self, units: Tensor, now: np.ndarray | None) -> Tensor:
        """Hear the unit (batch,) of each hypothesis; return what their totals gain, (batch,).

        `now`, (batch,), says how many samples have been played then.
        """
        encoded = self._listener.hear(units)
        self._n_steps += 1
        self._waiting.append(self._units[units])
        averages = self._averages.value
        if len(self._waiting) > self._delay:
            averages = self._averages.add(self._waiting.popleft())
        rows = self._rows(len(units), now)
        next_input = self._forecaster.join(encoded[:, None], averages[:, None], rows)
        hidden, self._state = self._architecture(next_input, self._state)
        self._hidden = hidden[:, -1]
        return self._listener.settle(self._hidden)

    def _rows(self, n: int, now: np.ndarray | None) -> Tensor | None:
        """Return the rows of the condition, (n, 1, width), if there is one."""
        if self._conditions is None:
            return None
        if now is None:
            condition = self._forecaster.config.condition
            usual = condition.step_samples if isinstance(condition, TrackCondition) else 0
            now = np.full(n, self._n_steps * usual)
        return self._conditions.after(self._n_steps, now)[:, None]
