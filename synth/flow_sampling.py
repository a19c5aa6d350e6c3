"""From noise to mel along a rectified flow, window after window.

The flow is followed by DPM-Solver++(2M) (arXiv 2211.01095, algorithm 2): exact for the linear part
of the equation, and linear in the logarithm of the signal-to-noise ratio for the prediction.

Mel of any length is made in windows. Each is given what is already there on either side::

    given    made by the first window
    ███████░░░░░░░░░░░░░░░
              given to the second  made by the second
              ██████████████░░░░░░░░░░░░░░
"""

import math
from collections.abc import Callable, Iterator

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
        gain = _log_snr(after) - _log_snr(time)
        target = clean
        if earlier is not None and math.isfinite(gain / earlier_gain):
            target = clean + (clean - earlier) * gain / (2 * earlier_gain)
        # exact for a constant target: the noise shrinks, and the target takes its place
        shrink = (1 - after) / (1 - time)
        z = shrink * z + (after - shrink * time) * target
        earlier = clean
        earlier_gain = gain
    return z


def _log_snr(time: float) -> float:
    """Return the logarithm of the ratio of mel to noise, time / (1 - time)."""
    if time == 0:
        return -math.inf
    return math.inf if time == 1 else math.log(time / (1 - time))


def windows(given: Tensor, length: int, context: int) -> Iterator[tuple[int, int]]:
    """Yield windows (start, stop) that together cover all frames that are not given.

    A gap that fits into a window lies in its middle, so that both sides of it are heard.

    Parameters
    ----------
    given : Tensor of bool, shape (frames,)
    length : int > context
        Frames of a window; all there are if they are fewer.
    context : int
        Frames before a longer gap that its windows are given, if there are as many.
    """
    frames = len(given)
    length = min(length, frames)
    known = given.tolist()
    while False in known:
        first = known.index(False)
        end = known.index(True, first) if True in known[first:] else frames
        spare = length - (end - first)
        if end == frames:
            before = max(spare, context)
        else:
            before = max(spare // 2, context)
        start = min(max(first - before, 0), frames - length)
        stop = start + length
        yield start, stop
        known[:stop] = [True] * stop
