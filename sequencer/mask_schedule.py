"""How much is masked: the cosine schedule of MaskGIT (Chang et al. 2022, arXiv 2202.04200).

    share that is masked, cos(π r / 2)
    1  ▇▇▆▆▅▄▃▂ 0        r goes from 0 to 1

In training r is spread evenly over [0, 1] by a low-discrepancy sequence, as in VampNet (García et
al. 2023, arXiv 2307.04686): here the multiples of the golden ratio, modulo 1.
"""

import math

import torch
from torch import Tensor

GOLDEN_RATIO = (math.sqrt(5) - 1) / 2


def masked_share(r: float) -> float:
    """Return the share of tokens that are masked at `r`, from 0, all of them, to 1, none."""
    return math.cos(math.pi * r / 2)


def spread(first: int, n: int) -> Tensor:
    """Return members `first` to `first + n` of the low-discrepancy sequence, float64, (n,)."""
    numbers = torch.arange(first, first + n, dtype=torch.float64)
    return (0.5 + numbers * GOLDEN_RATIO) % 1


def draw_masks(codes: Tensor, r: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Return what is masked of codes (batch, steps, levels), bool, for each `r` (batch,).

    Of rows with an even number single tokens are masked, of the others whole steps: what is missing
    when units are to be chosen again.
    """
    n_rows, n_steps, n_levels = codes.shape
    share = torch.cos(math.pi * r / 2).float()[:, None, None]
    tokens = torch.rand(n_rows, n_steps, n_levels, generator=generator) < share
    steps = torch.rand(n_rows, n_steps, 1, generator=generator) < share
    of_steps = torch.arange(n_rows)[:, None, None] % 2 == 1
    return torch.where(of_steps, steps, tokens)
