"""Sample z-scored steps after z-scored seeds, one after the other."""

from collections.abc import Iterator
from itertools import count, islice

import numpy as np
import torch
from torch import Tensor

from files.progress import Progress, no_progress
from sequencer.averages import LaggingAverages, slow_averages
from sequencer.condition import Conditions
from sequencer.forecaster import Forecaster
from sequencer.sampler import Sampler
from sequencer.sampling import AS_LEARNED, SamplingOptions

REPORT_STEPS = 64  # steps between two calls of `progress`


def sample_steps(
    forecaster: Forecaster,
    seed: Tensor,
    n_steps: int,
    *,
    generator: torch.Generator,
    sampling: SamplingOptions = AS_LEARNED,
    conditions: Conditions | None = None,
    progress: Progress = no_progress,
) -> Tensor:
    """Sample steps after seeds, side by side.

    Parameters
    ----------
    seed : Tensor, shape (batch, seed steps, n_static), z-scored
    generator : torch.Generator
        On the CPU; `sampling.random_seed` is not used.
    conditions : Conditions, optional
        Of a forecaster that goes with another sequence; by default nothing of it is known.

    Returns
    -------
    Tensor, shape (batch, n_steps, n_static), z-scored
    """
    steps = steps_after(
        forecaster, seed, generator=generator, sampling=sampling, conditions=conditions
    )
    sampled: list[Tensor] = []
    for step in islice(steps, n_steps):
        sampled.append(step)
        if len(sampled) % REPORT_STEPS == 0 or len(sampled) == n_steps:
            progress(len(sampled), n_steps, "forecasting")
    return torch.stack(sampled, dim=1)


@torch.no_grad()
def steps_after(
    forecaster: Forecaster,
    seed: Tensor,
    *,
    generator: torch.Generator,
    sampling: SamplingOptions = AS_LEARNED,
    conditions: Conditions | None = None,
) -> Iterator[Tensor]:
    """Yield step after step, (batch, n_static), without end; parameters as of `sample_steps`."""
    architecture = forecaster.architecture
    head = forecaster.head
    sampler = Sampler(sampling, generator, low=forecaster.low, high=forecaster.high)
    # prime the state on all of the seed but its last step
    spans = forecaster.config.spans
    n_seed = seed.shape[1]
    averages = torch.from_numpy(slow_averages(seed.cpu().numpy(), spans, delay=head.delay))
    averages = head.spread(averages.to(seed.device), n_seed)
    rows = head.spread(conditions.of_seed(), n_seed) if conditions else None
    inputs = forecaster.join(head.encode(seed), averages, rows)
    state = architecture.prime(inputs[:, :-1])
    next_input = inputs[:, -1:]
    lagging = LaggingAverages(seed, spans, delay=head.delay)
    stream = head.start(seed, sampler)
    clock = _Clock(forecaster, seed[:, -1])
    for place in count():
        # advance the state by one step
        hidden, state = architecture(next_input, state)
        # sample what follows
        encoded, step = stream.step(hidden[:, -1])
        if step is not None:
            lagging.add(step)
            if conditions:
                clock.add(step)
            yield step
        # feed it back, beside the averages and the condition
        latest = head.step_at(place)
        if conditions:
            rows = conditions.after(latest + 1, clock.n_samples(latest + 1))[:, None]
        next_input = forecaster.join(encoded[:, None], lagging.at(latest)[:, None], rows)


class _Clock:
    """How long the steps since the end of a seed last; one that is not complete, as the last."""

    def __init__(self, forecaster: Forecaster, last: Tensor) -> None:
        """Take the last step of the seeds, (batch, n_static)."""
        self._forecaster = forecaster
        self._lasting = forecaster.step_samples(last)
        self._ends = [np.zeros(len(last), np.int64)]  # of the complete steps, the first at 0

    def add(self, step: Tensor) -> None:
        """Add a complete step (batch, n_static)."""
        self._lasting = self._forecaster.step_samples(step)
        self._ends.append(self._ends[-1] + self._lasting)

    def n_samples(self, n_steps: int) -> np.ndarray:
        """Return how long the first `n_steps` steps last, (batch,)."""
        n_complete = min(n_steps, len(self._ends) - 1)
        return self._ends[n_complete] + (n_steps - n_complete) * self._lasting
