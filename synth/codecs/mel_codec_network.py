"""The network of a mel codec: log-mel to latents, latents to codes, and back to log-mel.

It works on mel spectrograms, and leaves the waveform to a vocoder: so all layers run at the rate
of the latents, and a second of audio takes a seventeenth of what it takes EnCodec's smallest.
Encoder and decoder are blocks of Vocos (arXiv 2306.00814) on patches of mel frames.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from files.ranges import check_integer
from synth.codecs.mel_codec_sizes import MelCodecSizes
from synth.codecs.quantiser import ResidualQuantiser
from synth.limits import MOST_LAYERS, MOST_WIDTH
from synth.vocos import KERNEL, ConvNeXtBlock

MOST_STRIDE = 64  # mel frames
MOST_CODEBOOKS = 64
MOST_ENTRIES = 1 << 16
EXPANSION = 3  # of a block's perceptron


@dataclass(frozen=True)
class MelCodecConfig:
    """Sizes of the network; `MelCodecSizes` explains them."""

    stride: int = MelCodecSizes.stride
    width: int = MelCodecSizes.width
    encoder_layers: int = MelCodecSizes.encoder_layers
    decoder_layers: int = MelCodecSizes.decoder_layers
    n_latents: int = MelCodecSizes.n_latents
    n_codebooks: int = MelCodecSizes.n_codebooks
    codebook_size: int = MelCodecSizes.codebook_size

    def __post_init__(self) -> None:
        check_integer("stride", self.stride, 1, MOST_STRIDE)
        check_integer("width", self.width, 1, MOST_WIDTH)
        check_integer("encoder_layers", self.encoder_layers, 1, MOST_LAYERS)
        check_integer("decoder_layers", self.decoder_layers, 1, MOST_LAYERS)
        check_integer("n_latents", self.n_latents, 1, MOST_WIDTH)
        check_integer("n_codebooks", self.n_codebooks, 1, MOST_CODEBOOKS)
        check_integer("codebook_size", self.codebook_size, 2, MOST_ENTRIES)


class Stack(nn.Module):
    """Blocks between two linear layers: (batch, frames, n_in) -> (batch, frames, n_out)."""

    def __init__(self, n_in: int, width: int, n_out: int, n_layers: int) -> None:
        super().__init__()
        self.n_layers = n_layers
        self.embed = nn.Linear(n_in, width)
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.blocks = nn.ModuleList(
            ConvNeXtBlock(width, EXPANSION * width, scale=1 / n_layers) for _ in range(n_layers)
        )
        self.final_norm = nn.LayerNorm(width, eps=1e-6)
        self.head = nn.Linear(width, n_out)

    @property
    def context(self) -> int:
        """Number of frames on each side that affect a frame."""
        return KERNEL // 2 * self.n_layers

    def forward(self, x: Tensor) -> Tensor:
        h = self.norm(self.embed(x)).transpose(1, 2)  # (B, T, C) -> (B, C, T)
        for block in self.blocks:
            h = block(h)
        out: Tensor = self.head(self.final_norm(h.transpose(1, 2)))
        return out


class MelCodecNetwork(nn.Module):
    """Encoder, quantiser and decoder.

    Log-mel is (batch, n_mels, stride * frames), latents are (batch, frames, n_latents).
    """

    mean: Tensor
    std: Tensor

    def __init__(self, n_mels: int, config: MelCodecConfig) -> None:
        super().__init__()
        self.config = config
        patch = config.stride * n_mels
        self.encoder = Stack(patch, config.width, config.n_latents, config.encoder_layers)
        self.quantiser = ResidualQuantiser(
            config.n_latents, config.n_codebooks, config.codebook_size
        )
        self.decoder = Stack(config.n_latents, config.width, patch, config.decoder_layers)
        self.register_buffer("mean", torch.zeros(n_mels))
        self.register_buffer("std", torch.ones(n_mels))

    def encode(self, mel: Tensor) -> Tensor:
        """Log-mel -> latents."""
        scores = (mel - self.mean[:, None]) / self.std[:, None]
        # (B, M, T * S) -> (B, T, S * M)
        patches = scores.transpose(1, 2).unflatten(1, (-1, self.config.stride)).flatten(2)
        latents: Tensor = self.encoder(patches).float()
        return latents

    def decode(self, latents: Tensor) -> Tensor:
        """Latents -> log-mel."""
        patches = self.decoder(latents).float()
        # (B, T, S * M) -> (B, M, T * S)
        scores = patches.unflatten(2, (self.config.stride, -1)).flatten(1, 2).transpose(1, 2)
        return scores * self.std[:, None] + self.mean[:, None]
