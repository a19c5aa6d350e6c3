"""Hypotheses of a search that have heard equally many steps, as one batch."""

from collections import deque
from copy import copy
from typing import Self

import numpy as np
import torch
from torch import Tensor

from sequencer.averages import LaggingAverages, slow_averages
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
        self._ends: deque[np.ndarray] = deque(maxlen=head.delay + 1)  # of the latest, (batch,) each
        self._units = units
        loss = forecaster.config.training.get("validation_loss")
        self._listener = head.listen(seed, units, following, temperature=temperature, loss=loss)
        averages = torch.from_numpy(slow_averages(seed.cpu().numpy(), spans, delay=head.delay))
        averages = head.spread(averages.to(seed.device), seed.shape[1])
        rows = head.spread(conditions.of_seed(), seed.shape[1]) if conditions else None
        inputs = forecaster.join(head.encode(seed), averages, rows)
        state = self._architecture.prime(inputs[:, :-1])
        hidden, self._state = self._architecture(inputs[:, -1:], state)
        self._hidden = hidden[:, -1]
        self._averages = LaggingAverages(seed, spans, delay=head.delay)
        self._step_at = head.step_at
        self._place = 0  # of the next input after the seed

    def scores(self) -> Tensor:
        """Return the log-likelihood of each unit as the next step, (batch, M)."""
        return self._listener.score(self._hidden)

    def select(self, rows: Tensor) -> Self:
        """Return these hypotheses (int64), which may be repeated."""
        selected = copy(self)
        selected._listener = self._listener.select(rows)
        selected._averages = self._averages.select(rows)
        selected._state = self._architecture.select(self._state, rows)
        selected._hidden = self._hidden[rows]
        if self._conditions is not None:
            kept = rows.cpu().numpy()
            selected._ends = deque((end[kept] for end in self._ends), maxlen=self._ends.maxlen)
        return selected

    def hear(self, units: Tensor, now: np.ndarray | None) -> Tensor:
        """Hear the unit (batch,) of each hypothesis; return what their totals gain, (batch,).

        `now`, (batch,), says how many samples have been played then.
        """
        encoded = self._listener.hear(units)
        self._averages.add(self._units[units])
        self._n_steps += 1
        if self._conditions is not None:
            self._ends.append(self._usual_end(len(units)) if now is None else now)
        places = range(self._place, self._place + encoded.shape[1])
        steps = [self._step_at(place) for place in places]
        averages = torch.stack([self._averages.at(step) for step in steps], dim=1)
        inputs = self._forecaster.join(encoded, averages, self._rows(steps))
        before = self._hidden
        hidden, self._state = self._architecture(inputs, self._state)
        self._place = places.stop
        self._hidden = hidden[:, -1]
        return self._listener.settle(before, hidden)

    def _usual_end(self, n: int) -> np.ndarray:
        """Return when the latest step ends, (n,), if it and those before are as long as usual."""
        condition = self._forecaster.config.condition
        usual = condition.step_samples if isinstance(condition, TrackCondition) else 0
        return np.full(n, self._n_steps * usual)

    def _rows(self, steps: list[int]) -> Tensor | None:
        """Return the rows of the condition that go with steps, if there is one."""
        if self._conditions is None:
            return None
        rows = [
            self._conditions.after(step + 1, self._ends[step - self._n_steps]) for step in steps
        ]
        return torch.stack(rows, dim=1)
