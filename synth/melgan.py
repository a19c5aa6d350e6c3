"""MelGAN generator (Kumar et al.

2019, arXiv 1910.06711): log-mel to waveform by transposed convolutions.

Each stage lengthens the sequence, halves its channels and passes residual layers whose dilation
grows by three, with reflected edges. Submodules carry the published names, so that published
weights fit.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Self

from torch import Tensor, nn
from torch.nn import functional as F

from files.errors import ParameterError
from synth.vocoder_network import VocoderNetwork

SLOPE = 0.2  # of the leaky ReLU
EDGE_KERNEL = 7  # of the first and the last convolution
INITIAL_STD = 0.02


@dataclass(frozen=True)
class MelGANConfig:
    """Sizes of the generator, by default the published ones (appendix A)."""

    channels: int = 32  # after the last stage, "ngf"; each stage before has twice as many
    rates: Sequence[int] = (
        8,
        8,
        2,
        2,
    )  # multiply to the hop length, 256; kernels are twice as long
    n_residual_layers: int = 3  # of dilation 1, 3, 9: 27 samples are seen after each stage

    def __post_init__(self) -> None:
        check_upsampling(self.rates, [2 * rate for rate in self.rates])
        for name in ("channels", "n_residual_layers"):
            if getattr(self, name) < 1:
                raise ParameterError(f"{name}={getattr(self, name)} must be a positive integer")

    def fit_hop(self, hop_length: int) -> Self:
        """The same with other rates, where they must be others."""
        return replace(self, rates=fit_rates(self.rates, hop_length))


def check_upsampling(rates: Sequence[int], kernel_sizes: Sequence[int]) -> None:
    """Raise ParameterError unless there is a stage, every rate is at least 2 and every kernel at
    least as long as its rate.
    """
    if not rates or min(rates) < 2:
        raise ParameterError(f"upsampling rates={rates} must be one or more integers of at least 2")
    if len(rates) != len(kernel_sizes) or any(
        k < u for u, k in zip(rates, kernel_sizes, strict=True)
    ):
        raise ParameterError(
            f"upsampling kernel sizes={kernel_sizes} must be one for each of rates={rates}, and"
            " none smaller than its rate"
        )


def fit_rates(rates: Sequence[int], hop_length: int) -> tuple[int, ...]:
    """Rates that multiply to `hop_length`: the smallest doubled as often as it takes; unchanged if
    none do.
    """
    fitted = list(rates)
    while prod(fitted) < hop_length:
        fitted[fitted.index(min(fitted))] *= 2
    return tuple(fitted) if prod(fitted) == hop_length else tuple(rates)


def upsampling(n_in: int, n_out: int, rate: int, kernel_size: int) -> nn.ConvTranspose1d:
    """Transposed convolution (batch, n_in, n) -> (batch, n_out, n * rate), exactly, odd rates too."""
    excess = kernel_size - rate
    return nn.ConvTranspose1d(
        n_in, n_out, kernel_size, rate, padding=(excess + 1) // 2, output_padding=excess % 2
    )


def context_frames(stages: Sequence[tuple[int, int, int]]) -> int:
    """How many mel frames on each side can touch the samples of one frame.

    Walks from the samples of frame 0, `first` to `last`, back to the mel: a convolution widens the
    span by its radius, and sample t of a transposed one comes from the inputs i with 0 <= t +
    padding - rate * i < kernel_size.

    Parameters
    ----------
    stages : sequence of (rate, kernel_size, radius)
        Of each transposed convolution, and how many samples the residual layers after it reach to
        each side.
    """
    edge = EDGE_KERNEL // 2
    first = -edge
    last = prod(rate for rate, _, _ in stages) - 1 + edge
    for rate, kernel_size, radius in reversed(stages):
        padding = (kernel_size - rate + 1) // 2
        first = -((kernel_size - 1 - padding + radius - first) // rate)
        last = (last + radius + padding) // rate
    return edge + max(-first, last)


class ResidualLayer(nn.Module):
    """A dilated and a mixing convolution beside a mixing shortcut.

    (batch, channels, n) -> the same shape.
    """

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.block = nn.Sequential(
            nn.LeakyReLU(SLOPE),
            nn.ReflectionPad1d(dilation),
            nn.Conv1d(channels, channels, 3, dilation=dilation),
            nn.LeakyReLU(SLOPE, inplace=True),
            nn.Conv1d(channels, channels, 1),
        )
        self.shortcut = nn.Conv1d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.block(x).add_(self.shortcut(x))


class MelGAN(VocoderNetwork):
    """Log-mel (batch, n_mels, frames) -> waveform within ±1 (batch, 1, frames * hop_length)."""

    weight_norm = True

    def __init__(self, n_mels: int, config: MelGANConfig) -> None:
        super().__init__()
        self.config = config
        width = config.channels * 2 ** len(config.rates)
        layers: list[nn.Module] = [
            nn.ReflectionPad1d(EDGE_KERNEL // 2),
            nn.Conv1d(n_mels, width, EDGE_KERNEL),
        ]
        for rate in config.rates:
            layers += [
                nn.LeakyReLU(SLOPE, inplace=True),
                upsampling(width, width // 2, rate, 2 * rate),
            ]
            width //= 2
            layers += [ResidualLayer(width, 3**layer) for layer in range(config.n_residual_layers)]
        layers += [
            nn.LeakyReLU(SLOPE, inplace=True),
            nn.ReflectionPad1d(EDGE_KERNEL // 2),
            nn.Conv1d(width, 1, EDGE_KERNEL),
        ]
        self.model = nn.Sequential(*layers, nn.Tanh())
        self.apply(initialise)

    @property
    def hop_length(self) -> int:
        """Samples per mel frame."""
        return prod(self.config.rates)

    @property
    def context_frames(self) -> int:
        """How many mel frames on each side can touch the samples of one frame."""
        radius = sum(3**layer for layer in range(self.config.n_residual_layers))
        return context_frames([(rate, 2 * rate, radius) for rate in self.config.rates])

    @property
    def min_frames(self) -> int:
        """The fewest frames whose edges can be reflected; fewer are lengthened, see `forward`."""
        widest = 3 ** (self.config.n_residual_layers - 1)
        return max(EDGE_KERNEL // 2, widest // self.config.rates[0]) + 1

    def forward(self, mel: Tensor) -> Tensor:
        """Of fewer than `min_frames` frames the last one is held while the network runs, and what
        it gave is cut off.
        """
        frames = mel.shape[-1]
        if frames < self.min_frames:
            mel = F.pad(mel, (0, self.min_frames - frames), mode="replicate")
        return self.model(mel)[..., : frames * self.hop_length]


def initialise(layer: nn.Module) -> None:
    """The published initial weights."""
    if isinstance(layer, nn.Conv1d | nn.ConvTranspose1d):
        nn.init.normal_(layer.weight, std=INITIAL_STD)
