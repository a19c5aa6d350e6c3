"""Exponential moving average (EMA) of the weights, which is validated and saved."""

import torch
from torch import nn

POWER = 7  # weights are averaged over about the last 1 / (POWER + 1) of all steps


@torch.no_grad()
def update_ema(ema: nn.Module, model: nn.Module, n_steps: int) -> None:
    """Move the weights of `ema` towards those of `model`, after training step `n_steps` >= 1.

    Polynomial averaging (Shamir and Zhang 2013, arXiv 1212.1824; also Karras et al. 2024, arXiv
    2312.02696): the share of the past grows with the run. It has the effect of a falling learning
    rate, but needs no schedule that depends on the length of training. Buffers are copied.
    """
    share = 1 - (1 - 1 / n_steps) ** (POWER + 1)
    for old, new in zip(ema.parameters(), model.parameters(), strict=True):
        old.lerp_(new, share)
    for kept, now in zip(ema.buffers(), model.buffers(), strict=True):
        kept.copy_(now)
