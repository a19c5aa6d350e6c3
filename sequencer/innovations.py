"""Innovations: how steps differ from their linear prediction, and codes of them.

As in predictive coding of speech (Atal & Schroeder 1979, IEEE Trans. ASSP 27(3)), the prediction is
from the steps as the codes so far say them, rather than as they were:

    step ──► - ──► quantiser ──► codes
             ▲         │
      prediction ◄── + ◄┘   what the codes say

So what codes leave out of one step is in the next innovation, and does not add up: a forecaster
that is trained on the codes learns where sequences really are.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from sequencer.linear import ORDER, predict_linearly
from sequencer.quantiser import Quantiser


def innovations_of(weights: Tensor, sequence: Tensor) -> Tensor:
    """Return how z-scored steps (…, steps, n) differ from their prediction; 0 for the first.

    `weights` are those of `sequencer.linear.fit_linear_prediction`.
    """
    steps = sequence.reshape(-1, *sequence.shape[-2:])
    innovations = steps[:, 1:] - predict_linearly(weights, steps)[:, :-1]
    return F.pad(innovations, (0, 0, 1, 0)).view_as(sequence)


def code_innovation(
    quantiser: Quantiser, weights: Tensor, past: Tensor, step: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the codes of a step (batch, n), and the step as they say it.

    `past` (batch, ORDER, n) are the last steps as their codes say them.
    """
    expected = past.flatten(1) @ weights[:-1] + weights[-1]
    codes = quantiser.quantise(step - expected)
    return codes, expected + quantiser.restore(codes)


@torch.no_grad()
def code_innovations(
    quantiser: Quantiser, weights: Tensor, sequence: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the codes of z-scored steps, one after the other, and the steps as they say them.

    Parameters
    ----------
    sequence : Tensor, shape (batch, steps, n)

    Returns
    -------
    codes : Tensor, int64, shape (batch, steps, levels)
    said : Tensor, shape (batch, steps, n)
    """
    said = [sequence[:, 0]]
    coded = [quantiser.quantise(torch.zeros_like(said[0]))]
    past = said[0][:, None].expand(-1, ORDER, -1)
    for step in sequence[:, 1:].unbind(1):
        codes, now = code_innovation(quantiser, weights, past, step)
        past = torch.cat([past[:, 1:], now[:, None]], dim=1)
        coded.append(codes)
        said.append(now)
    return torch.stack(coded, dim=1), torch.stack(said, dim=1)
