"""MelGAN generator: log-mel to waveform by transposed convolutions.

Kumar et al. 2019, arXiv 1910.06711. Each stage lengthens the sequence, halves its channels and
passes residual layers whose dilation grows by three, with reflected edges. Submodules have the
published names, so that published weights fit.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Self

from torch import Tensor, nn
from torch.nn import functional as F

from files.ranges import check_integer, check_integers
from synth.limits import MOST_WIDTH
from synth.upsampling import (
    EDGE_KERNEL,
    MOST_RATE,
    MOST_STAGES,
    check_upsampling,
    context_frames,
    fit_rates,
    upsampling,
)
from synth.vocoder_network import VocoderNetwork

SLOPE = 0.2  # of the leaky ReLU
INITIAL_STD = 0.02
MOST_RESIDUAL_LAYERS = 8


@dataclass(frozen=True)
class MelGANConfig:
    """Sizes of the generator, by default the published ones (appendix A)."""

    channels: int = 32  # after the last stage, "ngf"; each stage before has twice as many
    rates: Sequence[int] = (8, 8, 2, 2)  # multiply to the hop length; kernels are twice as long
    n_residual_layers: int = 3  # of dilation 1, 3, 9: they see 27 samples after each stage

    def __post_init__(self) -> None:
        check_integers("rates", self.rates, 2, MOST_RATE, most=MOST_STAGES)
        check_upsampling(self.rates, [2 * rate for rate in self.rates])
        check_integer("channels", self.channels, 1, MOST_WIDTH)
        check_integer("n_residual_layers", self.n_residual_layers, 1, MOST_RESIDUAL_LAYERS)

    def fit_hop(self, hop_length: int) -> Self:
        """Return the same sizes with rates that multiply to `hop_length`."""
        return replace(self, rates=fit_rates(self.rates, hop_length))


class ResidualLayer(nn.Module):
    """A dilated and a pointwise convolution beside a pointwise shortcut.

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
        pad = EDGE_KERNEL // 2
        layers: list[nn.Module] = [nn.ReflectionPad1d(pad), nn.Conv1d(n_mels, width, EDGE_KERNEL)]
        for rate in config.rates:
            layers.append(nn.LeakyReLU(SLOPE, inplace=True))
            layers.append(upsampling(width, width // 2, rate, 2 * rate))
            width //= 2
            layers += [ResidualLayer(width, 3**layer) for layer in range(config.n_residual_layers)]
        layers += [nn.LeakyReLU(SLOPE, inplace=True), nn.ReflectionPad1d(pad)]
        layers += [nn.Conv1d(width, 1, EDGE_KERNEL), nn.Tanh()]
        self.model = nn.Sequential(*layers)
        self.apply(initialise)

    @property
    def hop_length(self) -> int:
        """Samples per mel frame."""
        return prod(self.config.rates)

    @property
    def context_frames(self) -> int:
        """Number of mel frames on each side that can affect the samples of one frame."""
        radius = sum(3**layer for layer in range(self.config.n_residual_layers))
        return context_frames([(rate, 2 * rate, radius) for rate in self.config.rates])

    @property
    def min_frames(self) -> int:
        """The fewest frames whose edges can be reflected; see `forward`."""
        widest = 3 ** (self.config.n_residual_layers - 1)
        return max(EDGE_KERNEL // 2, widest // self.config.rates[0]) + 1

    def forward(self, mel: Tensor) -> Tensor:
        """Fewer than `min_frames` frames are padded with the last one, and the output is cut."""
        frames = mel.shape[-1]
        if frames < self.min_frames:
            mel = F.pad(mel, (0, self.min_frames - frames), mode="replicate")
        return self.model(mel)[..., : frames * self.hop_length]


def initialise(layer: nn.Module) -> None:
    """Draw the published initial weights."""
    if isinstance(layer, nn.Conv1d | nn.ConvTranspose1d):
        nn.init.normal_(layer.weight, std=INITIAL_STD)
