"""Exponential moving average (EMA) of weights: what is validated and saved."""

import torch
from torch import nn

POWER = 7  # weights are averaged over about the last 1 / (POWER + 1) of all steps


@torch.no_grad()
def update_ema(ema: nn.Module, model: nn.Module, n_steps: int) -> None:
    """Move the weights of `ema` towards those of `model`, after training step `n_steps` >= 1.

    Polynomial averaging (Shamir and Zhang 2013, arXiv 1212.1824; also Karras et al. 2024, arXiv
    2312.02696): the share of the past grows with the run. It does what lowering the learning rate
    does, without having to know how long training will last. Buffers are copied.
    """
    share = 1 - (1 - 1 / n_steps) ** (POWER + 1)
    for old, new in zip(ema.parameters(), model.parameters(), strict=True):
        old.lerp_(new, share)
    for kept, now in zip(ema.buffers(), model.buffers(), strict=True):
        kept.copy_(now)
