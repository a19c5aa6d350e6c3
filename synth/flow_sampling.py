"""Follow a rectified flow from noise to mel, by the Adams-Bashforth method of second order.

Hairer, Nørsett and Wanner 1993, Solving Ordinary Differential Equations I, section III.1. The
network is asked once a step. With as many questions, Heun's method is less exact where the solution
is known, and so is DPM-Solver++(2M).
"""

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
    for number in range(steps):
        time = number / steps
        clean = predict(z, torch.tensor([time], device=z.device))
        velocity = (clean - z) / (1 - time)
        average = velocity if earlier is None else 1.5 * velocity - 0.5 * earlier
        z = z + average / steps
        earlier = velocity
    return z
