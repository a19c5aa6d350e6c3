"""Run a network over a long signal in windows, so that memory is bounded.

    signal   |─────────────|─────────────|─────────────|
    window 2           ‹···|─────────────|···›
                    context   its output    context

Where the network hears no further than the context, the windows' outputs are those of the whole
signal, but for the rounding of sums.
"""

from collections.abc import Callable

import torch
from torch import Tensor


def run_in_windows(
    network: Callable[[Tensor], Tensor],
    signal: Tensor,
    *,
    window: int,
    before: int,
    after: int,
    to_output: Callable[[int], int],
) -> Tensor:
    """Return `network(signal)`, computed window by window if the signal is longer than one.

    Parameters
    ----------
    network : callable
        Of a tensor (batch, channels, length) to one (batch, channels, to_output(length)).
    signal : Tensor, shape (batch, channels, length)
    window, before, after : int
        Lengths of a window and of the context on both sides, in steps of the signal.
    to_output : callable
        Of a length of signal, in whole windows or contexts, to the length of its output.

    Returns
    -------
    Tensor, shape (batch, channels, to_output(length))
    """
    length = signal.shape[-1]
    if length <= window:
        return network(signal)
    outputs = []
    for start in range(0, length, window):
        first = max(start - before, 0)
        stop = min(start + window, length)
        output = network(signal[..., first : stop + after])
        outputs.append(output[..., to_output(start - first) : to_output(stop - first)])
    return torch.cat(outputs, dim=-1)
