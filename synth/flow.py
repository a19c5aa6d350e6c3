"""A rectified flow on patches of mel frames: a plain transformer that predicts clean mel.

Rectified flow: arXiv 2209.03003. Predicting the clean patch, trained on the velocity: arXiv
2511.13720 (JiT). Adaptive layer norm with one table of offsets per layer: arXiv 2310.00426.
Rotary positions: arXiv 2104.09864. Given frames in the input: arXiv 2206.10789 and 2503.08638.

At time t, from 0 (noise) to 1 (mel), a point of the flow is z = t x + (1 - t) e, where x is
normalised mel and e is white noise; its velocity is x - e = (x - z) / (1 - t).
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from files.errors import ParameterError
from files.ranges import check_integer
from synth.limits import MOST_LAYERS, MOST_WIDTH

ROTARY_BASE = 10_000.0  # of the wavelengths, in tokens
TIME_FEATURES = 128
N_CURVES = 2  # loudness and onsets, one value a frame each
MOST_PATCH_FRAMES = 256


@dataclass(frozen=True)
class FlowConfig:
    """Sizes of a flow. The defaults learn piano on a processor."""

    patch_frames: int = 4  # mel frames in a token: 46 ms at 22.05 kHz / 256
    width: int = 256
    layers: int = 8
    head_width: int = 64
    style_size: int = 48  # numbers that describe a style

    def __post_init__(self) -> None:
        check_integer("patch_frames", self.patch_frames, 1, MOST_PATCH_FRAMES)
        check_integer("layers", self.layers, 1, MOST_LAYERS)
        for name in ("width", "head_width", "style_size"):
            check_integer(name, getattr(self, name), 1, MOST_WIDTH)
        if self.width % self.head_width or self.head_width % 2:
            raise ParameterError(
                f"head_width={self.head_width} must be even and divide width={self.width}"
            )


class Block(nn.Module):
    """Attention over all tokens, then a gated layer on each; both modulated by the conditions."""

    def __init__(self, width: int, head_width: int) -> None:
        super().__init__()
        hidden = -(-8 * width // 3 // 64) * 64  # a gated layer of the usual 4 x width parameters
        self.head_width = head_width
        self.attention_in = nn.Linear(width, 3 * width, bias=False)
        self.attention_out = nn.Linear(width, width, bias=False)
        self.gate_in = nn.Linear(width, 2 * hidden, bias=False)
        self.gate_out = nn.Linear(hidden, width, bias=False)
        self.query_scale = nn.Parameter(torch.ones(head_width))
        self.key_scale = nn.Parameter(torch.ones(head_width))
        self.modulation = nn.Parameter(torch.zeros(6, width))  # added to the common one

    def forward(self, x: Tensor, modulation: Tensor, rotation: tuple[Tensor, Tensor]) -> Tensor:
        """x (B, T, width), modulation (B, 6, width), rotation (T, head_width) each -> like x."""
        # (B, 6, width) -> 6 of (B, 1, width)
        shift, scale, gate, shift_2, scale_2, gate_2 = (
            (modulation + self.modulation).unsqueeze(2).unbind(1)
        )
        x = x + gate * self._attend(_norm(x) * (1 + scale) + shift, rotation)
        a, b = self.gate_in(_norm(x) * (1 + scale_2) + shift_2).chunk(2, dim=-1)
        return x + gate_2 * self.gate_out(F.silu(a) * b)

    def _attend(self, x: Tensor, rotation: tuple[Tensor, Tensor]) -> Tensor:
        batch, n_tokens, width = x.shape
        # (B, T, 3 width) -> 3 of (B, heads, T, head_width)
        parts = self.attention_in(x).view(batch, n_tokens, 3, -1, self.head_width)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        query = _rotate(_norm(query) * self.query_scale, *rotation)
        key = _rotate(_norm(key) * self.key_scale, *rotation)
        dtype = value.dtype
        mixed = F.scaled_dot_product_attention(query.to(dtype), key.to(dtype), value)
        return self.attention_out(mixed.transpose(1, 2).reshape(batch, n_tokens, width))


class Flow(nn.Module):
    """The network: noisy mel, the frames that are given, and conditions -> clean mel."""

    def __init__(self, n_mels: int, config: FlowConfig) -> None:
        super().__init__()
        width = config.width
        patch = config.patch_frames
        self.patch_frames = patch
        self.head_width = config.head_width
        # mel, whether it is given, the curves, and whether each curve is there
        channels = n_mels + 1 + 2 * N_CURVES
        self.embed = nn.Linear(channels * patch, width)
        self.embed_time = nn.Sequential(
            nn.Linear(TIME_FEATURES, width), nn.SiLU(), nn.Linear(width, width)
        )
        self.embed_style = nn.Linear(config.style_size + 1, width)
        self.modulate = nn.Linear(width, 6 * width)
        self.blocks = nn.ModuleList(Block(width, config.head_width) for _ in range(config.layers))
        self.last_modulation = nn.Parameter(torch.zeros(2, width))
        self.out = nn.Linear(width, n_mels * patch)
        self._initialise()

    def _initialise(self) -> None:
        """Start every block as the identity, and the output at the mean."""
        nn.init.zeros_(self.modulate.weight)
        nn.init.zeros_(self.modulate.bias)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(
        self,
        mel: Tensor,
        given: Tensor,
        time: Tensor,
        curves: Tensor,
        style: Tensor,
    ) -> Tensor:
        """Predict clean mel.

        Parameters
        ----------
        mel : Tensor, shape (batch, n_mels, frames), frames a multiple of `patch_frames`
            Normalised: clean where it is given, a point of the flow elsewhere.
        given : Tensor, shape (batch, frames)
            1 where mel is given, else 0.
        time : Tensor, shape (batch,), 0 to 1
        curves : Tensor, shape (batch, 2 * N_CURVES, frames)
            Loudness and onsets, and 1 where each is there; both 0 where it is not.
        style : Tensor, shape (batch, style_size + 1)
            The style, and 1; or zeros for any style.

        Returns
        -------
        Tensor, shape (batch, n_mels, frames), float32
        """
        batch, n_mels, n_frames = mel.shape
        channels = torch.cat([mel, given[:, None], curves], dim=1)
        # (B, channels, frames) -> (B, tokens, patch * channels)
        patches = channels.transpose(1, 2).reshape(batch, n_frames // self.patch_frames, -1)
        x = self.embed(patches)
        condition = self.embed_time(_time_features(time)) + self.embed_style(style)
        modulation = self.modulate(F.silu(condition)).view(batch, 6, -1)
        rotation = _rotation(x.shape[1], self.head_width, x.device)
        for block in self.blocks:
            x = block(x, modulation, rotation)
        shift, scale = (modulation[:, :2] + self.last_modulation).unsqueeze(2).unbind(1)
        clean = self.out(_norm(x) * (1 + scale) + shift).float()
        # (B, tokens, patch * n_mels) -> (B, n_mels, frames)
        return clean.view(batch, n_frames, n_mels).transpose(1, 2)


def _norm(x: Tensor) -> Tensor:
    return F.rms_norm(x, x.shape[-1:])


def _time_features(time: Tensor) -> Tensor:
    """(B,) -> (B, TIME_FEATURES): sines and cosines of frequencies up to 1000 / 2 pi."""
    n = TIME_FEATURES // 2
    frequencies = 1000 ** torch.linspace(0, 1, n, device=time.device)
    angles = time[:, None] * frequencies
    return torch.cat([angles.cos(), angles.sin()], dim=1)


def _rotation(n_tokens: int, width: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return cosines and sines of the angles of each token, (n_tokens, width) each."""
    wavelengths = ROTARY_BASE ** torch.linspace(0, 1, width // 2, device=device)
    angles = torch.arange(n_tokens, device=device)[:, None] / wavelengths
    angles = torch.cat([angles, angles], dim=1)
    return angles.cos(), angles.sin()


def _rotate(x: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
    """Rotate pairs of channels of (..., tokens, width) by the angles of the tokens."""
    a, b = x.chunk(2, dim=-1)
    return x * cosines + torch.cat([-b, a], dim=-1) * sines
