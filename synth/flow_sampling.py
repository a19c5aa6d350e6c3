"""Follow a rectified flow from noise to mel, by DPM-Solver++(2M).

arXiv 2211.01095, algorithm 2: exact for the linear part of the equation, and linear in the
logarithm of the ratio of mel to noise for what the network predicts. One pass a step.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

Predict = Callable[[Tensor, Tensor], Tensor]  # point of the flow, time (1,) -> clean mel


def follow_flow(predict: Predict, noise: Tensor, steps: int) -> Tensor:
    """Follow the flow from noise, at time 0, to clean mel, at time 1.

    Parameters
    ----------
    predict : function
        Predicts clean mel, shaped like the noise.
    noise : Tensor
        White, of variance 1.
    steps : int > 0
        As many predictions are made.
    """
    z = noise
    earlier: Tensor | None = None
    earlier_gain = math.inf
    for number in range(steps):
        time = number / steps
        after = (number + 1) / steps
        clean = predict(z, torch.tensor([time], device=z.device))
        gain = _log_ratio(after) - _log_ratio(time)
        target = clean
        if earlier is not None and math.isfinite(gain / earlier_gain):
            target = clean + (clean - earlier) * gain / (2 * earlier_gain)
        # exact for a constant target: the noise shrinks, and the target takes its place
        shrink = (1 - after) / (1 - time)
        z = shrink * z + (after - shrink * time) * target
        earlier = clean
        earlier_gain = gain
    return z


def _log_ratio(time: float) -> float:
    """Return the logarithm of the ratio of mel to noise, time / (1 - time)."""
    if time == 0:
        return -math.inf
    return math.inf if time == 1 else math.log(time / (1 - time))
