"""HiFi-GAN generator: log-mel to waveform by transposed convolutions.

Kong, Kim & Bae 2020, arXiv 2010.05646. Each stage lengthens the sequence, halves its channels and
takes the mean of residual blocks of several kernel sizes: the "multi-receptive field fusion" of
section 2.2. Submodules have the published names, so that published weights fit.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import prod
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from files.errors import ParameterError
from files.ranges import check_integer, check_integers, shown
from synth.limits import MOST_WIDTH
from synth.upsampling import EDGE_KERNEL, check_upsampling, context_frames, fit_rates, upsampling
from synth.vocoder_network import VocoderNetwork

SLOPE = 0.1  # of the leaky ReLU
LAST_SLOPE = 0.01  # before the last convolution, where the published code has torch's default
INITIAL_STD = 0.01
MOST_KERNEL = 255
MOST_BRANCHES = 16  # of a stage, and convolutions of each
MOST_DILATION = 1024


@dataclass(frozen=True)
class HiFiGANConfig:
    """Sizes of the generator. The defaults are V1, the paper's best and largest (appendix A.1)."""

    upsample_rates: Sequence[int] = (8, 8, 2, 2)  # multiply to the hop length, 256
    # twice the rate, so that each sample sees two inputs: this avoids checkerboard artefacts
    upsample_kernel_sizes: Sequence[int] = (16, 16, 4, 4)
    channels: int = 512  # before the first stage; every stage halves them
    # 1: pairs of a dilated and a plain convolution; 2: dilated ones only, half the work
    resblock: int = 1
    kernel_sizes: Sequence[int] = (3, 7, 11)  # of a stage's residual blocks, fine to coarse
    dilations: Sequence[Sequence[int]] = ((1, 3, 5), (1, 3, 5), (1, 3, 5))  # within each block

    def __post_init__(self) -> None:
        check_upsampling(self.upsample_rates, self.upsample_kernel_sizes)
        halvings = len(self.upsample_rates)
        check_integer("channels", self.channels, 1, MOST_WIDTH)
        if self.channels % 2**halvings:
            raise ParameterError(
                f"channels={self.channels} must be a multiple of {2**halvings}, to be halved"
                f" {halvings} times"
            )
        check_integer("resblock", self.resblock, 1, 2)
        check_integers("kernel_sizes", self.kernel_sizes, 1, MOST_KERNEL, most=MOST_BRANCHES)
        if not self.kernel_sizes or any(size % 2 == 0 for size in self.kernel_sizes):
            raise ParameterError(
                f"kernel_sizes={shown(self.kernel_sizes)} must be odd numbers, one for each"
                " residual block of a stage"
            )
        self._check_dilations()

    def _check_dilations(self) -> None:
        rows = self.dilations
        is_list = isinstance(rows, list | tuple)
        if not is_list or len(rows) != len(self.kernel_sizes) or not all(rows):
            raise ParameterError(
                f"dilations={shown(rows)} must have a row of positive integers for each of"
                f" {self.kernel_sizes}"
            )
        for number, row in enumerate(rows):
            name = f"dilations[{number}]"
            check_integers(name, row, 1, MOST_DILATION, most=MOST_BRANCHES)

    def fit_hop(self, hop_length: int) -> Self:
        """Return the same sizes with rates that multiply to `hop_length`, kernels twice as long."""
        rates = fit_rates(self.upsample_rates, hop_length)
        kernel_sizes = tuple(2 * rate for rate in rates)
        return replace(self, upsample_rates=rates, upsample_kernel_sizes=kernel_sizes)


V1 = HiFiGANConfig()
V2 = HiFiGANConfig(channels=128)
V3 = HiFiGANConfig(
    upsample_rates=(8, 8, 4),
    upsample_kernel_sizes=(16, 16, 8),
    channels=256,
    resblock=2,
    kernel_sizes=(3, 5, 7),
    dilations=((1, 2), (2, 6), (3, 12)),
)


def convolution(channels: int, kernel_size: int, dilation: int) -> nn.Conv1d:
    """A convolution that keeps channels and length."""
    padding = dilation * (kernel_size // 2)
    return nn.Conv1d(channels, channels, kernel_size, dilation=dilation, padding=padding)


class ResBlock1(nn.Module):
    """Residual pairs of a dilated and a plain convolution.

    (batch, channels, n) -> the same shape.
    """

    def __init__(self, channels: int, kernel_size: int, dilations: Sequence[int]) -> None:
        super().__init__()
        self.convs1 = nn.ModuleList(
            convolution(channels, kernel_size, dilation) for dilation in dilations
        )
        self.convs2 = nn.ModuleList(convolution(channels, kernel_size, 1) for _ in dilations)

    def forward(self, x: Tensor) -> Tensor:
        for dilated, plain in zip(self.convs1, self.convs2, strict=True):
            hidden = dilated(F.leaky_relu(x, SLOPE))
            hidden = plain(F.leaky_relu(hidden, SLOPE, inplace=True))
            x = hidden.add_(x)
        return x


class ResBlock2(nn.Module):
    """Residual dilated convolutions. (batch, channels, n) -> the same shape."""

    def __init__(self, channels: int, kernel_size: int, dilations: Sequence[int]) -> None:
        super().__init__()
        self.convs = nn.ModuleList(
            convolution(channels, kernel_size, dilation) for dilation in dilations
        )

    def forward(self, x: Tensor) -> Tensor:
        for dilated in self.convs:
            x = dilated(F.leaky_relu(x, SLOPE)).add_(x)
        return x


class HiFiGAN(VocoderNetwork):
    """Log-mel (batch, n_mels, frames) -> waveform within ±1 (batch, 1, frames * hop_length)."""

    weight_norm = True

    def __init__(self, n_mels: int, config: HiFiGANConfig) -> None:
        super().__init__()
        self.config = config
        widths = [config.channels >> stage for stage in range(len(config.upsample_rates) + 1)]
        block = ResBlock1 if config.resblock == 1 else ResBlock2
        branches = list(zip(config.kernel_sizes, config.dilations, strict=True))
        self.conv_pre = nn.Conv1d(n_mels, widths[0], EDGE_KERNEL, padding=EDGE_KERNEL // 2)
        self.ups = nn.ModuleList(
            upsampling(n_in, n_out, rate, kernel_size)
            for (n_in, n_out), rate, kernel_size in zip(
                pairwise(widths), config.upsample_rates, config.upsample_kernel_sizes, strict=True
            )
        )
        self.resblocks = nn.ModuleList(
            block(width, *branch) for width in widths[1:] for branch in branches
        )
        self.conv_post = nn.Conv1d(widths[-1], 1, EDGE_KERNEL, padding=EDGE_KERNEL // 2)
        for part in (self.ups, self.resblocks, self.conv_post):
            part.apply(initialise)

    @property
    def hop_length(self) -> int:
        """Samples per mel frame."""
        return prod(self.config.upsample_rates)

    @property
    def context_frames(self) -> int:
        """Number of mel frames on each side that can affect the samples of one frame."""
        config = self.config
        plain = 1 if config.resblock == 1 else 0  # a plain convolution follows each dilated one
        branches = zip(config.kernel_sizes, config.dilations, strict=True)
        radius = max(size // 2 * sum(d + plain for d in row) for size, row in branches)
        stages = zip(config.upsample_rates, config.upsample_kernel_sizes, strict=True)
        return context_frames([(rate, size, radius) for rate, size in stages])

    def forward(self, mel: Tensor) -> Tensor:
        n_branches = len(self.config.kernel_sizes)
        x = self.conv_pre(mel)
        for stage, up in enumerate(self.ups):
            x = up(F.leaky_relu(x, SLOPE, inplace=True))
            first = stage * n_branches
            x = mean_of_branches(self.resblocks[first : first + n_branches], x)
        return torch.tanh(self.conv_post(F.leaky_relu(x, LAST_SLOPE, inplace=True)))


def mean_of_branches(branches: nn.ModuleList, x: Tensor) -> Tensor:
    """Return the mean of the branches' outputs; x stays as it is."""
    total = branches[0](x)
    for branch in branches[1:]:
        total += branch(x)
    return total.div_(len(branches))


def initialise(layer: nn.Module) -> None:
    """Draw the published initial weights: small, so that a residual block starts as identity."""
    if isinstance(layer, nn.Conv1d | nn.ConvTranspose1d):
        nn.init.normal_(layer.weight, std=INITIAL_STD)
