"""Upsampling by transposed convolutions, as in MelGAN and HiFi-GAN."""

from collections.abc import Sequence
from math import prod

from torch import nn

from files.errors import ParameterError
from files.ranges import check_integers

MOST_RATE = 1024
MOST_STAGES = 8
EDGE_KERNEL = 7  # of the first and the last convolution


def check_upsampling(rates: Sequence[int], kernel_sizes: Sequence[int]) -> None:
    """Raise ParameterError unless rates are at least 2 and no kernel is shorter than its rate."""
    check_integers("upsampling rates", rates, 2, MOST_RATE, most=MOST_STAGES)
    check_integers("upsampling kernel sizes", kernel_sizes, 1, 2 * MOST_RATE, most=MOST_STAGES)
    if not rates:
        raise ParameterError("upsampling rates must be one or more integers of at least 2")
    too_short = any(kernel < rate for rate, kernel in zip(rates, kernel_sizes, strict=False))
    if len(rates) != len(kernel_sizes) or too_short:
        raise ParameterError(
            f"upsampling kernel sizes={kernel_sizes} must be one for each of rates={rates}, and"
            " none smaller than its rate"
        )


def fit_rates(rates: Sequence[int], hop_length: int) -> tuple[int, ...]:
    """Return rates that multiply to `hop_length`, by repeatedly doubling the smallest.

    If that is impossible, they are returned unchanged.
    """
    fitted = list(rates)
    while prod(fitted) < hop_length:
        fitted[fitted.index(min(fitted))] *= 2
    return tuple(fitted) if prod(fitted) == hop_length else tuple(rates)


def upsampling(n_in: int, n_out: int, rate: int, kernel_size: int) -> nn.ConvTranspose1d:
    """Transposed convolution (batch, n_in, n) -> (batch, n_out, n * rate), odd rates too."""
    excess = kernel_size - rate
    padding = (excess + 1) // 2
    return nn.ConvTranspose1d(
        n_in, n_out, kernel_size, rate, padding=padding, output_padding=excess % 2
    )


def context_frames(stages: Sequence[tuple[int, int, int]]) -> int:
    """Return the number of mel frames on each side that can affect the samples of one frame.

    Walks from the samples of frame 0, `first` to `last`, back to the mel: a convolution widens
    them by its radius, and sample t of a transposed one comes from the inputs i with
    0 <= t + padding - rate * i < kernel_size.

    Parameters
    ----------
    stages : sequence of (rate, kernel_size, radius)
        Of each transposed convolution; `radius` is the reach in samples, to each side, of the
        residual layers after it.
    """
    edge = EDGE_KERNEL // 2
    first = -edge
    last = prod(rate for rate, _, _ in stages) - 1 + edge
    for rate, kernel_size, radius in reversed(stages):
        padding = (kernel_size - rate + 1) // 2
        first = -((kernel_size - 1 - padding + radius - first) // rate)
        last = (last + radius + padding) // rate
    return edge + max(-first, last)
