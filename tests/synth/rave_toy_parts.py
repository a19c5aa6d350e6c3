"""The parts of the toy exports of RAVE: a lapped transform as encoder and decoder."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

RATE = 8000
HOP = 16  # TorchScript knows no globals: its functions below say 8 and 16
FULL = 8  # latents before those are cut that carry little
BATCH = 64  # sounds at once for which a streaming export keeps a state


class CachedPadding1d(nn.Module):
    """The end of the signal before, in front of this one."""

    def __init__(self, channels: int, padding: int) -> None:
        super().__init__()
        self.padding = padding
        self.register_buffer("pad", torch.zeros(BATCH, channels, padding))

    def forward(self, x: Tensor) -> Tensor:
        x = torch.cat([self.pad[: x.shape[0]], x], -1)
        self.pad[: x.shape[0]].copy_(x[..., -self.padding :])
        return x


class Encoder(nn.Module):
    def __init__(self, streaming: bool) -> None:
        super().__init__()
        self.streaming = streaming
        self.register_buffer("window", lapped_window())
        self.cache = CachedPadding1d(1, HOP)

    def forward(self, x: Tensor) -> Tensor:
        x = self.cache(x) if self.streaming else F.pad(x, (8, 8))
        return F.conv1d(x, self.window, stride=16)


class CachedConvTranspose1d(nn.Module):
    def __init__(self, streaming: bool) -> None:
        super().__init__()
        self.streaming = streaming
        self.register_buffer("window", lapped_window())
        self.register_buffer("cache", torch.zeros(BATCH, 1, HOP))

    def forward(self, z: Tensor) -> Tensor:
        x = F.conv_transpose1d(z, self.window, stride=16)
        if not self.streaming:
            return x[..., 8:-8]
        x[..., :16] += self.cache[: x.shape[0]]
        self.cache[: x.shape[0]].copy_(x[..., -16:])
        return x[..., :-16]


def register_methods(model: nn.Module, latent_size: int, channels: int = 1) -> list[str]:
    """Give a model the buffers that tell channels and samples a frame of its methods."""
    model.register_buffer("encode_params", torch.tensor([1, 1, latent_size, HOP]))
    model.register_buffer("decode_params", torch.tensor([latent_size, HOP, channels, 1]))
    model.register_buffer("forward_params", torch.tensor([1, 1, channels, 1]))
    return ["encode", "decode", "forward"]


def lapped_window() -> Tensor:
    """Return the lowest 8 of 16 functions of the MDCT, shape (8, 1, 32): its own inverse."""
    n = torch.arange(2 * HOP) + 0.5
    band = torch.arange(FULL)[:, None] + 0.5
    cosines = torch.cos(math.pi / HOP * (n + HOP / 2) * band)
    return (math.sqrt(2 / HOP) * torch.sin(math.pi / (2 * HOP) * n) * cosines)[:, None]
