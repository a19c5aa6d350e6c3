"""UNAGAN: noise to a normalised mel spectrogram.

Liu et al. 2020, arXiv 2005.08526; parameters have the published names. The recurrent-convolutional
(RC) block models the structure in time, so that any length can be generated. The hierarchical
generator starts 16 times slower than the mel and doubles its rate four times; the mel of each rate
refines that of the one before.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from files.errors import ParameterError
from files.ranges import check_integer, check_integers
from synth.limits import MOST_WIDTH

SLOPE = 0.01  # of the leaky ReLUs
FLAT_DILATIONS = (2, 4)  # of the non-hierarchical generator's two RC blocks
MAX_FRAMES_PER_STEP = 64
MOST_STAGES = 6  # 64 times
MOST_Z_CHANNELS = 1024

Generators = torch.Generator | Sequence[torch.Generator] | None


@dataclass(frozen=True)
class UnaganConfig:
    """Sizes of a generator and of its encoder."""

    z_channels: int = 20  # noise channels
    width: int = 512  # channels of every hidden layer; 64 trains on a CPU
    groups: int = 4  # of group normalisation and of the RC block's convolution
    upsamplings: tuple[int, ...] = (2, 2, 2, 2)  # a noise step per 16 frames; (): nonhierarchical

    def __post_init__(self) -> None:
        check_integer("z_channels", self.z_channels, 1, MOST_Z_CHANNELS)
        check_integer("width", self.width, 1, MOST_WIDTH)
        check_integer("groups", self.groups, 1, MOST_WIDTH)
        check_integers("upsamplings", self.upsamplings, 2, MAX_FRAMES_PER_STEP, most=MOST_STAGES)
        object.__setattr__(self, "upsamplings", tuple(self.upsamplings))  # JSON has lists
        if self.width % self.groups or self.width == self.groups:
            raise ParameterError(
                f"width={self.width} must be a multiple of groups={self.groups}, and larger"
            )
        if self.frames_per_step > MAX_FRAMES_PER_STEP:
            raise ParameterError(
                f"upsamplings={self.upsamplings} must multiply to at most {MAX_FRAMES_PER_STEP};"
                " use fewer"
            )

    @property
    def frames_per_step(self) -> int:
        """Mel frames per step of noise."""
        return math.prod(self.upsamplings)


def initial_state(x: Tensor, generator: Generators) -> Tensor | None:
    """Draw a GRU's initial state, shape (2, batch, width), for x (batch, width, steps).

    Without a generator it is None, zeros; else normal noise, from one generator for all rows or
    from one for each row.
    """
    if generator is None:
        return None
    batch, width, _ = x.shape
    if isinstance(generator, torch.Generator):
        return torch.randn(2, batch, width, generator=generator, device=generator.device).to(x)
    rows = [torch.randn(2, width, generator=g, device=g.device) for g in generator]
    return torch.stack(rows, dim=1).to(x)


class RCBlock(nn.Module):
    """Bidirectional GRU and a grouped convolution of its output, both added to the input.

    (batch, dim, steps) -> the same shape.
    """

    def __init__(self, dim: int, groups: int, dilation: int = 1) -> None:
        super().__init__()
        self.rec = nn.GRU(dim, dim, batch_first=True, bidirectional=True)
        self.conv = nn.Conv1d(dim, dim, 3, padding=dilation, dilation=dilation, groups=groups)
        self.gn = nn.GroupNorm(groups, dim)

    def forward(self, x: Tensor, generator: Generators = None) -> Tensor:
        directions, _ = self.rec(x.transpose(1, 2), initial_state(x, generator))
        forwards, backwards = directions.chunk(2, dim=-1)
        recurrent = (forwards + backwards).transpose(1, 2)  # (B, T, C) -> (B, C, T)
        return x + recurrent + F.leaky_relu(self.gn(self.conv(recurrent)), SLOPE)


class HierarchyStage(nn.Module):
    """A generator at one rate: (batch, n_in, steps) -> (batch, dim, steps)."""

    def __init__(self, n_in: int, dim: int, groups: int) -> None:
        super().__init__()
        self.block = nn.Sequential(
            nn.Conv1d(n_in, dim, 3, padding=1),
            nn.GroupNorm(groups, dim),
            nn.LeakyReLU(SLOPE),
            RCBlock(dim, groups),
            nn.Conv1d(dim, dim, 3, padding=1),
        )

    def forward(self, x: Tensor, generator: Generators = None) -> Tensor:
        *first, recurrent, last = self.block
        for layer in first:
            x = layer(x)
        return last(recurrent(x, generator))


class HierarchicalUnagan(nn.Module):
    """Noise (batch, z_channels, steps) -> normalised mel (batch, n_mels, frames).

    There are `frames_per_step` frames for each step.
    """

    def __init__(self, n_mels: int, config: UnaganConfig) -> None:
        super().__init__()
        width = config.width
        groups = config.groups
        self.upsamplings = config.upsamplings
        self.frames_per_step = config.frames_per_step
        self.block0 = HierarchyStage(config.z_channels, width, groups)
        self.head0 = nn.Conv1d(width, n_mels, 3, padding=1)
        self.blocks = nn.ModuleList(
            HierarchyStage(width, width, groups) for _ in config.upsamplings
        )
        self.heads = nn.ModuleList(
            nn.Conv1d(width, n_mels, 3, padding=1) for _ in config.upsamplings
        )

    def forward(self, z: Tensor, generator: Generators = None) -> Tensor:
        """Run the network; without `generator` the initial GRU states are zeros."""
        hidden = self.block0(z, generator)
        mel = self.head0(hidden)
        for factor, block, head in zip(self.upsamplings, self.blocks, self.heads, strict=True):
            hidden = hidden.repeat_interleave(factor, dim=-1)
            hidden = hidden + block(hidden, generator)
            mel = mel.repeat_interleave(factor, dim=-1) + head(hidden)
        return mel


class NonHierarchicalUnagan(nn.Module):
    """Noise (batch, z_channels, frames) -> normalised mel (batch, n_mels, frames)."""

    frames_per_step = 1

    def __init__(self, n_mels: int, config: UnaganConfig) -> None:
        super().__init__()
        if config.upsamplings:
            raise ParameterError(
                f"upsamplings={config.upsamplings} must be () here; use HierarchicalUnagan"
            )
        width = config.width
        groups = config.groups
        self.body = nn.Sequential(
            nn.Conv1d(config.z_channels, width, 3, padding=1),
            nn.GroupNorm(groups, width),
            nn.LeakyReLU(SLOPE),
            *(RCBlock(width, groups, dilation) for dilation in FLAT_DILATIONS),
        )
        self.head = nn.Conv1d(width, n_mels, 3, padding=1)

    def forward(self, z: Tensor, generator: Generators = None) -> Tensor:
        """Run the network; without `generator` the initial GRU states are zeros."""
        conv, norm, activation, *recurrent = self.body
        hidden = activation(norm(conv(z)))
        for block in recurrent:
            hidden = block(hidden, generator)
        return self.head(hidden)


def build_unagan(n_mels: int, config: UnaganConfig) -> HierarchicalUnagan | NonHierarchicalUnagan:
    """Build the generator that `config` describes."""
    if config.upsamplings:
        return HierarchicalUnagan(n_mels, config)
    return NonHierarchicalUnagan(n_mels, config)


class MelEncoder(nn.Module):
    """Normalised mel (batch, n_mels, frames) -> noise (batch, z_channels, steps), for the cycle.

    Its layout is ours: the mirror image of the hierarchical generator, with average pooling for
    its upsamplings.
    """

    def __init__(self, n_mels: int, config: UnaganConfig) -> None:
        super().__init__()
        self.downsamplings = config.upsamplings[::-1]
        self.frames_per_step = config.frames_per_step
        self.block0 = HierarchyStage(n_mels, config.width, config.groups)
        self.blocks = nn.ModuleList(
            HierarchyStage(config.width, config.width, config.groups) for _ in self.downsamplings
        )
        self.head = nn.Conv1d(config.width, config.z_channels, 3, padding=1)

    def forward(self, mel: Tensor) -> Tensor:
        """Encode a mel; raise ParameterError unless its frames make whole steps."""
        if mel.shape[-1] % self.frames_per_step or not mel.shape[-1]:
            raise ParameterError(
                f"{mel.shape[-1]} frames must be a multiple of {self.frames_per_step}; cut or pad"
                " the mel"
            )
        hidden = self.block0(mel)
        for factor, block in zip(self.downsamplings, self.blocks, strict=True):
            hidden = F.avg_pool1d(hidden, factor)
            hidden = hidden + block(hidden)
        return self.head(hidden)
