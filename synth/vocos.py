"""Vocos: ConvNeXt blocks at the frame rate, and an inverse STFT in place of upsampling.

Siuzdak 2023, arXiv 2306.00814. Every frame's magnitudes and phases are predicted at once, so that
nearly all work is done once per hop, not once per sample. Two additions, off in the published
configuration, let a small network on a processor learn more in an hour than it otherwise would in
days:

- `prior`: magnitudes start from the mel, spread over the bins it was summed from, and the network
  predicts factors (FreeV, arXiv 2406.08196, starts from the pseudo-inverse of the filterbank).
- `refinements`: number of steps of `synth.refinement` at the end; some of them in training, too.
"""

import math
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from files.ranges import check_flag, check_integer
from synth.istft import InverseSTFT, spread_of_bands
from synth.limits import MOST_LAYERS, MOST_WIDTH
from synth.mel import MelSettings
from synth.refinement import MelRefinement
from synth.vocoder_network import VocoderNetwork

MAX_LOG_MAGNITUDE = math.log(1e2)  # as published: an exploding magnitude is clipped
MOST_REFINEMENTS = 256
KERNEL = 7  # frames, of every convolution


@dataclass(frozen=True)
class VocosConfig:
    """Defaults are the published sizes, 13.5 million parameters."""

    dim: int = 512
    intermediate_dim: int = 1536  # three times `dim`
    n_layers: int = 8
    prior: bool = False
    refinements: int = 0

    def __post_init__(self) -> None:
        check_integer("dim", self.dim, 1, MOST_WIDTH)
        check_integer("intermediate_dim", self.intermediate_dim, 1, MOST_WIDTH)
        check_integer("n_layers", self.n_layers, 1, MOST_LAYERS)
        check_integer("refinements", self.refinements, 0, MOST_REFINEMENTS)
        check_flag("prior", self.prior)

    def fit_hop(self, hop_length: int) -> Self:
        """Return the same sizes: an inverse STFT takes any hop length."""
        return self


PUBLISHED = VocosConfig()
SMALL = VocosConfig(dim=256, intermediate_dim=768, prior=True, refinements=16)  # without a GPU


class ConvNeXtBlock(nn.Module):
    """Depthwise convolution over time, then a two-layer perceptron at each frame.

    Liu et al. 2022, arXiv 2201.03545.
    """

    def __init__(self, dim: int, intermediate_dim: int, *, scale: float) -> None:
        super().__init__()
        self.depthwise = nn.Conv1d(dim, dim, KERNEL, padding=KERNEL // 2, groups=dim)
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        self.expand = nn.Linear(dim, intermediate_dim)
        self.contract = nn.Linear(intermediate_dim, dim)
        self.scale = nn.Parameter(torch.full((dim,), scale))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T) -> (B, C, T)."""
        h = self.depthwise(x).transpose(1, 2)  # (B, C, T) -> (B, T, C)
        h = self.contract(F.gelu(self.expand(self.norm(h))))
        return x + (self.scale * h).transpose(1, 2)


class Vocos(VocoderNetwork):
    """Log-mel to waveform."""

    bins_of_bands: Tensor

    def __init__(self, mel: MelSettings, config: VocosConfig) -> None:
        super().__init__()
        self.mel = mel
        self.config = config
        self.embed = nn.Conv1d(mel.n_mels, config.dim, KERNEL, padding=KERNEL // 2)
        self.norm = nn.LayerNorm(config.dim, eps=1e-6)
        self.blocks = nn.ModuleList(
            ConvNeXtBlock(config.dim, config.intermediate_dim, scale=1 / config.n_layers)
            for _ in range(config.n_layers)
        )
        self.final_norm = nn.LayerNorm(config.dim, eps=1e-6)
        self.head = nn.Linear(config.dim, mel.n_fft + 2)
        self.inverse_stft = InverseSTFT(mel.n_fft, mel.hop_length)
        self.refinement = MelRefinement(mel, config.refinements)
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Conv1d):
                nn.init.trunc_normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]
        filters = self.refinement.front_end.filters
        bins_of_bands = spread_of_bands(filters) / filters.sum(1)
        self.register_buffer("bins_of_bands", bins_of_bands, persistent=False)

    @property
    def hop_length(self) -> int:
        return self.mel.hop_length

    @property
    def context_frames(self) -> int:
        """Number of mel frames on each side that can affect the samples of one frame."""
        overlap = -(-self.mel.n_fft // (2 * self.mel.hop_length))
        return KERNEL // 2 * (1 + self.config.n_layers) + overlap + self.refinement.context_frames

    def forward(self, mel: Tensor) -> Tensor:
        """(B, n_mels, frames) -> (B, 1, frames * hop_length)."""
        h = self.norm(self.embed(mel).transpose(1, 2))  # (B, C, T) -> (B, T, C)
        h = h.transpose(1, 2)
        for block in self.blocks:
            h = block(h)
        # Half precision would round phases to a tenth.
        with torch.autocast(h.device.type, enabled=False):
            return self._audio(h.float(), mel.float())[:, None]

    def _audio(self, h: Tensor, mel: Tensor) -> Tensor:
        h = self.head(self.final_norm(h.transpose(1, 2)))
        log_magnitude, phase = h.transpose(1, 2).chunk(2, dim=1)
        if self.config.prior:
            magnitudes = self.bins_of_bands @ self.refinement.front_end.expand(mel)
            log_magnitude = log_magnitude + magnitudes.clamp_min(self.mel.floor).log()
        magnitude = log_magnitude.clamp_max(MAX_LOG_MAGNITUDE).exp()
        spectrum = torch.polar(magnitude, phase)
        return self.refinement(self.inverse_stft(spectrum), mel)
