"""Toy exports of RAVE: the attributes, buffers, methods and shapes of the real ones, at 8 kHz.

Each is a lapped transform of 16 samples a frame, of which the lowest 8 bands are the latents,
rotated by a PCA. So what is decoded resembles what was encoded, up to 2 kHz.
"""

import math
import warnings
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.synth.rave_toy_parts import (
    BATCH,
    FULL,
    HOP,
    RATE,
    CachedConvTranspose1d,
    Encoder,
    register_methods,
)

BOOKS = 4
ENTRIES = 32
KINDS = ("v1", "v2", "streaming", "discrete")


class Variational(nn.Module):
    """What both versions share."""

    def __init__(self, latent_size: int, spread: float, streaming: bool) -> None:
        super().__init__()
        self.spread = spread
        self.kept = latent_size
        self.encoder = Encoder(streaming)
        self.decoder = CachedConvTranspose1d(streaming)
        generator = torch.Generator().manual_seed(0)
        square = torch.randn(FULL, FULL, generator=generator)
        self.register_buffer("latent_pca", torch.linalg.qr(square)[0])
        self.register_buffer("latent_mean", 0.01 * torch.randn(FULL, generator=generator))
        self.register_buffer("fidelity", torch.linspace(0.6, 1.0, FULL))

    def sample(self, x: Tensor) -> Tensor:
        z = self.encoder(x)
        z = z + self.spread * torch.randn_like(z) - self.latent_mean.unsqueeze(-1)
        return F.conv1d(z, self.latent_pca.unsqueeze(-1))[:, : self.kept]

    def restore(self, z: Tensor) -> Tensor:
        cut = torch.randn(z.shape[0], 8 - z.shape[1], z.shape[-1])
        z = F.conv1d(torch.cat([z, 0.01 * cut], 1), self.latent_pca.t().unsqueeze(-1))
        return self.decoder(z + self.latent_mean.unsqueeze(-1))


class RaveV1(Variational):
    """Version 1: the rate and the full size are buffers, and no method lists the methods."""

    def __init__(self, latent_size: int, spread: float, stereo: bool) -> None:
        super().__init__(latent_size, spread, streaming=False)
        self.stereo = stereo
        self.cropped_latent_size = latent_size
        self.register_buffer("sampling_rate", torch.tensor(RATE))
        self.register_buffer("latent_size", torch.tensor(FULL))
        register_methods(self, latent_size, channels=2 if stereo else 1)

    @torch.jit.export
    def encode(self, x: Tensor) -> Tensor:
        return self.sample(x)

    @torch.jit.export
    def decode(self, z: Tensor) -> Tensor:
        if self.stereo and z.shape[0] == 1:
            z = z.expand(2, z.shape[1], z.shape[2])
        x = self.restore(z)
        return x.permute(1, 0, 2) if self.stereo else x

    def forward(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x))


class RavePrior(nn.Module):
    """A prior as a file of its own: temperatures (batch, 1, frames) to latents."""

    def __init__(self, latent_size: int) -> None:
        super().__init__()
        self.latent_size = latent_size
        self.register_buffer("forward_params", torch.tensor([1, HOP, latent_size, HOP]))
        self.register_buffer("previous_step", torch.full((1, latent_size, 1), 0.1))

    def forward(self, temp: Tensor) -> Tensor:
        out = torch.zeros(temp.shape[0], self.latent_size, temp.shape[-1])
        scale = F.softplus(temp.mean(-1, keepdim=True)) / math.log(2)
        for i in range(temp.shape[-1]):
            step = 0.9 * self.previous_step + 0.1 * scale * torch.randn_like(self.previous_step)
            self.previous_step.copy_(step)
            out[..., i : i + 1] = step
        return out


class RaveV2(Variational):
    """Version 2: attributes of Python, and methods that tell the methods."""

    def __init__(self, latent_size: int, spread: float, streaming: bool, has_prior: bool) -> None:
        super().__init__(latent_size, spread, streaming)
        self.sr = RATE
        self.latent_size = latent_size
        self.full_latent_size = FULL
        self.n_channels = 1
        self.target_channels = 1
        self.has_prior = has_prior
        self.prior_module = RavePrior(latent_size)
        self.methods = torch.jit.Attribute(register_methods(self, latent_size), list[str])
        if has_prior:
            self.methods.value.append("prior")
            self.register_buffer("prior_params", torch.tensor([1, HOP, latent_size, HOP]))

    @torch.jit.export
    def encode(self, x: Tensor) -> Tensor:
        return self.sample(x)

    @torch.jit.export
    def decode(self, z: Tensor, from_forward: bool = False) -> Tensor:
        return self.restore(z)

    @torch.jit.export
    def prior(self, temp: Tensor) -> Tensor:
        return self.prior_module(temp) if self.has_prior else torch.tensor(0)

    @torch.jit.export
    def get_methods(self) -> list[str]:
        return self.methods

    def forward(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x), from_forward=True)


class Codebook(nn.Module):
    def __init__(self, scale: float, seed: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        embed = scale * torch.randn(ENTRIES, FULL, generator=generator)
        self.register_buffer("embed", embed)
        self.register_buffer("embed_avg", embed.clone())


class Layer(nn.Module):
    def __init__(self, scale: float, seed: int) -> None:
        super().__init__()
        self._codebook = Codebook(scale, seed)

    def forward(self, z: Tensor) -> Tensor:  # (B, C, F) -> (B, F)
        return torch.cdist(z.transpose(1, 2), self._codebook.embed[None]).argmin(-1)

    @torch.jit.export
    def restore(self, codes: Tensor) -> Tensor:
        return F.embedding(codes, self._codebook.embed).transpose(1, 2)


class Quantiser(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Layer(0.5 * 0.25**book, book) for book in range(BOOKS))

    def forward(self, z: Tensor) -> Tensor:
        codes = []
        for layer in self.layers:
            codes.append(layer(z))
            z = z - layer.restore(codes[-1])
        return torch.stack(codes, 1)

    @torch.jit.export
    def restore(self, codes: Tensor) -> Tensor:
        z = torch.tensor(0.0)
        for book, layer in enumerate(self.layers):
            z = z + layer.restore(codes[:, book])
        return z


class DiscreteEncoder(Encoder):
    def __init__(self) -> None:
        super().__init__(streaming=False)
        self.rvq = Quantiser()


class RaveDiscrete(nn.Module):
    """Version 2 of discrete latents: indices of codebooks, as floats."""

    def __init__(self) -> None:
        super().__init__()
        self.sr = RATE
        self.latent_size = BOOKS
        self.full_latent_size = FULL
        self.encoder = DiscreteEncoder()
        self.decoder = CachedConvTranspose1d(streaming=False)
        self.register_buffer("latent_pca", torch.eye(FULL))
        self.methods = torch.jit.Attribute(register_methods(self, BOOKS), list[str])

    @torch.jit.export
    def encode(self, x: Tensor) -> Tensor:
        return self.encoder.rvq(self.encoder(x)).float()

    @torch.jit.export
    def decode(self, z: Tensor, from_forward: bool = False) -> Tensor:
        return self.decoder(self.encoder.rvq.restore(torch.clamp(z, 0, 31).long()))

    @torch.jit.export
    def get_methods(self) -> list[str]:
        return self.methods

    def forward(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x), from_forward=True)


class MultiscalePrior(nn.Module):
    """As msprior exports it: codes and more to codes and perplexity; it listens or generates."""

    def __init__(self) -> None:
        super().__init__()
        self.listen = (True,)
        self.books = BOOKS
        self.register_buffer("forward_params", torch.tensor([BOOKS, HOP, BOOKS + 1, HOP]))
        self.register_buffer("previous_step", torch.zeros(BATCH, 1, BOOKS))

    def forward(self, x: Tensor) -> Tensor:
        if self.listen[0]:
            self.previous_step[: x.shape[0]].copy_(x[..., -1:].transpose(1, 2))
            return torch.cat([x, torch.ones_like(x[:, :1])], 1)
        steps = []
        for _ in range(x.shape[-1]):
            jump = torch.randint(0, 8, (x.shape[0], 1, self.books))
            step = (self.previous_step[: x.shape[0]] + jump) % 32
            self.previous_step[: x.shape[0]].copy_(step)
            steps.append(step)
        codes = torch.cat(steps, 1).transpose(1, 2)
        return torch.cat([codes, torch.ones_like(codes[:, :1])], 1)

    @torch.jit.export
    def set_listen(self, listen: bool) -> int:
        self.listen = (listen,)
        return 0


def save_rave(
    path: Path,
    kind: str,
    *,
    latent_size: int = 4,
    spread: float = 0.01,
    stereo: bool = False,
    has_prior: bool = False,
) -> Path:
    """Write a toy of one of KINDS; with `latent_size` 8 and no `spread`, nothing is by chance."""
    if kind == "discrete":
        model: nn.Module = RaveDiscrete()
    elif kind == "v1":
        model = RaveV1(latent_size, spread, stereo)
    else:
        model = RaveV2(latent_size, spread, kind == "streaming", has_prior)
    return save_script(path, model)


def save_prior(path: Path, kind: str = "prior", *, latent_size: int = 4) -> Path:
    """Write a toy prior: of latents ("prior"), or of codes ("msprior")."""
    return save_script(path, MultiscalePrior() if kind == "msprior" else RavePrior(latent_size))


def save_script(path: Path, model: nn.Module) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.script(model.eval()).save(str(path))
    return path
