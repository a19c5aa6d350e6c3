"""The likelihood of sequences under a forecaster with a coarse level.

The likelihood of a group of steps, given those before it, is its mean over what the coarse level
says may come:

    p(steps of g | past) = E over coarse c ~ p(c | groups before g) of p(steps of g | past, c)

The mean of a few samples is right on average, and its logarithm a little too low. So a forecaster
with a coarse level can be compared with one without: neither is told anything of what comes.
"""

from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from sequencer.averages import slow_averages
from sequencer.coarse import CoarseConditions, coarse_rows, starts_of
from sequencer.condition import GroupSteps
from sequencer.forecaster import Forecaster
from sequencer.sampling import AS_LEARNED

CONTEXT_STEPS = 128  # heard before each group
CONTEXT_GROUPS = 32  # heard by the coarse level


@torch.no_grad()
def loss_with_coarse(
    model: Forecaster,
    sequences: list[Tensor],
    *,
    steps: GroupSteps,
    n_samples: int,
    random_seed: int = 0,
) -> float:
    """Return the mean loss per step in nats, of all groups but the first of each sequence.

    Parameters
    ----------
    model : Forecaster
        Its head must have a likelihood. Without a coarse level it is taken as it is.
    sequences : list of Tensor, shape (steps, n_static), z-scored
    steps : int, "beats" or "bars"
        Of a group.
    n_samples : int
        Of the coarse level, for each group.
    """
    generator = torch.Generator().manual_seed(random_seed)
    losses = []
    n_steps = 0
    for scores in sequences:
        starts = [*starts_of(model, scores, steps), len(scores)]
        for number, (first, end) in enumerate(pairwise(starts)):
            if number:
                begin = starts[max(number - CONTEXT_GROUPS, 0)]
                sampled = _sample_rows(
                    model, scores[begin:first], end - first, n_samples, generator
                )
                losses.append(_loss_of_group(model, scores[:end], first, sampled))
                n_steps += end - first
    return float(np.sum(losses) / n_steps)


def _sample_rows(
    model: Forecaster, past: Tensor, n_steps: int, n_samples: int, generator: torch.Generator
) -> Tensor | None:
    """Return the rows of a past (steps, n) and of steps after it, with sampled coarse groups."""
    if model.coarse is None:
        return None
    seeds = past.expand(n_samples, -1, -1)
    conditions = CoarseConditions(model, seeds, generator=generator, sampling=AS_LEARNED)
    coming = [conditions.after(step, np.zeros(n_samples)) for step in range(n_steps)]
    heard = coarse_rows(model, past)[:-1].expand(n_samples, -1, -1)
    return torch.cat([heard, torch.stack(coming, dim=1)], dim=1)


def _loss_of_group(model: Forecaster, scores: Tensor, first: int, rows: Tensor | None) -> float:
    """Return the loss of the steps from `first` to the end of a sequence (steps, n)."""
    n_context = min(CONTEXT_STEPS, first) - 1
    n = 1
    if rows is not None:
        n_context = min(n_context, rows.shape[1] - (len(scores) - first))
        n = len(rows)
    begin = first - n_context - 1
    known = slow_averages(scores[:-1].numpy(), model.config.spans, delay=model.head.delay)
    averages = torch.from_numpy(known[begin:]).expand(n, -1, -1)
    sequence = scores[begin:].expand(n, -1, -1)
    if rows is not None:
        rows = rows[:, -(sequence.shape[1] - 1) :]
    hidden = model(sequence[:, :-1], averages, n_context, rows)
    mask = torch.ones(1, len(scores) - first)
    losses = [
        float(model.head.loss(hidden[i : i + 1], sequence[i : i + 1], mask)) for i in range(n)
    ]
    return float(np.log(n) - np.logaddexp.reduce(-np.array(losses)))
