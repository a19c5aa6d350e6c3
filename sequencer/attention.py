"""Causal self-attention that looks back over a fixed span, with a cache: any length in constant
memory per step.

Positions are rotary (Su et al. 2021, RoFormer, arXiv 2104.09864): only distances count, so a step
far into a rollout is like any other. A query sees the `span` latest keys, its own included (sliding
window, Beltagy et al. 2020, arXiv 2004.05150); a cache of span - 1 keys and values is therefore all
that a rollout needs, and gives what the whole history would.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

ROTARY_BASE = 10_000.0


class KeyValues(NamedTuple):
    """Keys (rotated) and values of the latest steps, (batch, heads, steps, head_dim), and how many
    steps there have been.
    """

    keys: Tensor
    values: Tensor
    position: int


class CausalAttention(nn.Module):
    """(batch, steps, dim) -> (batch, steps, dim), each step from itself and the span - 1 steps
    before it.
    """

    rates: Tensor

    def __init__(self, dim: int, *, n_heads: int, span: int, dropout: float) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.span = span
        self.dropout = dropout
        self.project_in = nn.Linear(dim, 3 * dim, bias=False)
        self.project_out = nn.Linear(dim, dim, bias=False)
        half = dim // n_heads // 2
        self.register_buffer("rates", ROTARY_BASE ** (-torch.arange(half) / half), persistent=False)

    def forward(self, x: Tensor, cache: KeyValues | None = None) -> tuple[Tensor, KeyValues]:
        steps = x.shape[1]
        before = cache.position if cache else 0
        q, k, v = (split_heads(part, self.n_heads) for part in self.project_in(x).chunk(3, dim=-1))
        positions = torch.arange(before, before + steps, device=x.device)
        q = self._rotate(q, positions)
        k = self._rotate(k, positions)
        if cache:
            k = torch.cat([cache.keys, k], dim=2)
            v = torch.cat([cache.values, v], dim=2)
        distance = positions[:, None] - torch.arange(
            before + steps - k.shape[2], before + steps, device=x.device
        )
        seen = (distance >= 0) & (distance < self.span)
        dropout = self.dropout if self.training else 0.0
        out = F.scaled_dot_product_attention(
            q, k, v, attn_mask=None if steps == 1 else seen, dropout_p=dropout
        )
        kept = self.span - 1
        return self.project_out(merge_heads(out)), KeyValues(
            k[:, :, -kept:], v[:, :, -kept:], before + steps
        )

    def _rotate(self, x: Tensor, positions: Tensor) -> Tensor:
        angles = positions[:, None] * self.rates
        cos = angles.cos()
        sin = angles.sin()
        a, b = x.chunk(2, dim=-1)
        return torch.cat([a * cos - b * sin, a * sin + b * cos], dim=-1)


class CrossAttention(nn.Module):
    """(batch, steps, dim) looks at a memory (batch, m, dim), all of it."""

    def __init__(self, dim: int, *, n_heads: int, dropout: float) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.dropout = dropout
        self.query = nn.Linear(dim, dim, bias=False)
        self.key_value = nn.Linear(dim, 2 * dim, bias=False)
        self.project_out = nn.Linear(dim, dim, bias=False)

    def forward(self, x: Tensor, memory: Tensor) -> Tensor:
        q = split_heads(self.query(x), self.n_heads)
        k, v = (split_heads(part, self.n_heads) for part in self.key_value(memory).chunk(2, dim=-1))
        return self.project_out(
            merge_heads(
                F.scaled_dot_product_attention(
                    q, k, v, dropout_p=self.dropout if self.training else 0.0
                )
            )
        )


def split_heads(x: Tensor, n_heads: int) -> Tensor:
    """(batch, steps, dim) -> (batch, heads, steps, head_dim)."""
    return x.unflatten(-1, (n_heads, -1)).transpose(1, 2)


def merge_heads(x: Tensor) -> Tensor:
    """(batch, heads, steps, head_dim) -> (batch, steps, dim)."""
    return x.transpose(1, 2).flatten(2)


class FeedForward(nn.Sequential):
    """Two linear layers with a GELU between them, four times as wide inside."""

    def __init__(self, dim: int, *, dropout: float) -> None:
        super().__init__(
            nn.Linear(dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, dim), nn.Dropout(dropout)
        )
