"""Weights averaged while training: what is judged and saved."""

import torch
from torch import nn

AVERAGED = 7  # weights are averaged over about the last 1 / (AVERAGED + 1) of all updates


@torch.no_grad()
def update_ema(average: nn.Module, model: nn.Module, n_updates: int) -> None:
    """Move the parameters of `average` towards those of `model`, after its update number
    `n_updates` >= 1.

    Polynomial averaging (Shamir and Zhang 2013, arXiv 1212.1824): the share of the past grows with
    the run, so that nothing has to be known of its length. Buffers are taken over as they are.
    """
    share = 1 - (1 - 1 / n_updates) ** (AVERAGED + 1)
    for old, new in zip(average.parameters(), model.parameters(), strict=True):
        old.lerp_(new, share)
    for kept, now in zip(average.buffers(), model.buffers(), strict=True):
        kept.copy_(now)
