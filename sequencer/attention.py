"""Self-attention over a fixed span: causal with a cache, constant memory per step, or both ways.

Positions are rotary (Su et al. 2021, RoFormer, arXiv 2104.09864): only distances count, so a step
far into a rollout is like any other. A query sees the `span` latest keys, its own included (sliding
window, Beltagy et al. 2020, arXiv 2004.05150). A cache of span - 1 keys and values is therefore all
that a rollout needs, and gives what the whole history would.
"""

from collections.abc import Callable
from typing import NamedTuple, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

ROTARY_BASE = 10_000.0
CHUNK_STEPS = 512  # at most so many steps attend to each other at a time, to bound the memory

State = TypeVar("State")


class KeyValues(NamedTuple):
    """Rotated keys and values of the latest steps, each (batch, heads, steps, head_dim).

    `position` is the number of steps so far.
    """

    keys: Tensor
    values: Tensor
    position: int


class Turns(NamedTuple):
    """By how much queries and keys are turned at successive steps, each (steps, head_dim).

    The sines are negative in the first half of the columns.
    """

    cosines: Tensor
    sines: Tensor


class Rotary(nn.Module):
    """Number of the first step, and of steps -> their turns, the same for all heads and layers."""

    rates: Tensor

    def __init__(self, head_dim: int) -> None:
        super().__init__()
        half = head_dim // 2
        rates = ROTARY_BASE ** (-torch.arange(half) / half)  # by step, for each pair of columns
        self.register_buffer("rates", rates, persistent=False)

    def forward(self, first: int, steps: int) -> Turns:
        positions = torch.arange(first, first + steps, device=self.rates.device)
        angles = positions[:, None] * self.rates
        cosines = angles.cos()
        sines = angles.sin()
        return Turns(torch.cat([cosines, cosines], -1), torch.cat([-sines, sines], -1))


class RotaryAttention(nn.Module):
    """What both ways of attending to a sequence's own steps share: projections and heads."""

    def __init__(self, dim: int, *, n_heads: int, dropout: float) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.dropout = dropout
        self.project_in = nn.Linear(dim, 3 * dim, bias=False)
        self.project_out = nn.Linear(dim, dim, bias=False)

    def rotated(self, x: Tensor, turns: Turns) -> tuple[Tensor, Tensor, Tensor]:
        """Return queries and keys, rotated, and values, each (batch, heads, steps, head_dim)."""
        heads = split_heads(self.project_in(x), 3 * self.n_heads)
        queries_and_keys, v = heads.split((2 * self.n_heads, self.n_heads), dim=1)
        # contiguous, since which weights a dropout drops depends on the layout
        q, k = rotate(queries_and_keys, turns).contiguous().chunk(2, dim=1)
        return q, k, v


class CausalAttention(RotaryAttention):
    """(batch, steps, dim) and the turns of these steps -> (batch, steps, dim).

    Each step attends to itself and the span - 1 steps before it.
    """

    def __init__(self, dim: int, *, n_heads: int, span: int, dropout: float) -> None:
        super().__init__(dim, n_heads=n_heads, dropout=dropout)
        self.span = span

    def forward(
        self, x: Tensor, turns: Turns, cache: KeyValues | None = None
    ) -> tuple[Tensor, KeyValues]:
        steps = x.shape[1]
        before = cache.position if cache else 0
        q, k, v = self.rotated(x, turns)
        if cache:
            k = torch.cat([cache.keys, k], dim=2)
            v = torch.cat([cache.values, v], dim=2)
        visible = None if steps == 1 else self._visible(steps, k.shape[2], x.device)
        dropout = self.dropout if self.training else 0.0
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=visible, dropout_p=dropout)
        kept = self.span - 1
        cache = KeyValues(k[:, :, -kept:], v[:, :, -kept:], before + steps)
        return self.project_out(merge_heads(out)), cache

    def _visible(self, steps: int, n_keys: int, device: torch.device) -> Tensor:
        """Return which of the `n_keys` latest keys each query sees, (steps, n_keys), bool."""
        keys = torch.arange(n_keys, device=device)
        distance = keys[-steps:, None] - keys
        return (distance >= 0) & (distance < self.span)


class LocalAttention(RotaryAttention):
    """(batch, steps, dim) -> (batch, steps, dim).

    Each step attends to itself and to the `reach` steps on either side, in chunks of bounded
    memory. Values are rotated as well, and back where they arrive (Miyato et al. 2023, GTA, arXiv
    2310.10375): what a step hears of another says how far away it is.
    """

    def __init__(self, dim: int, *, n_heads: int, reach: int, dropout: float) -> None:
        super().__init__(dim, n_heads=n_heads, dropout=dropout)
        self.reach = reach
        self.rotary = Rotary(dim // n_heads)

    def forward(self, x: Tensor, real: Tensor | None = None) -> Tensor:
        """Attend; steps that are not `real` (batch, steps), bool, are seen by nobody else."""
        positions = torch.arange(x.shape[1], device=x.device)
        turns = self.rotary(0, x.shape[1])
        q, k, v = self.rotated(x, turns)
        v = rotate(v, turns)
        dropout = self.dropout if self.training else 0.0
        out = []
        for first in range(0, x.shape[1], CHUNK_STEPS):
            last = min(first + CHUNK_STEPS, x.shape[1])
            near = slice(max(first - self.reach, 0), last + self.reach)
            distance = positions[first:last, None] - positions[near]
            visible = distance.abs() <= self.reach
            if real is not None:
                visible = visible & real[:, None, None, near] | (distance == 0)
            keys = k[:, :, near]
            values = v[:, :, near]
            out.append(
                F.scaled_dot_product_attention(
                    q[:, :, first:last], keys, values, attn_mask=visible, dropout_p=dropout
                )
            )
        turned_back = rotate(torch.cat(out, dim=2), Turns(turns.cosines, -turns.sines))
        return self.project_out(merge_heads(turned_back))


def rotate(x: Tensor, turns: Turns) -> Tensor:
    """Turn queries or keys (..., steps, head_dim).

    Columns a of the first half and b of the second become a·cos - b·sin and b·cos + a·sin.
    """
    return x * turns.cosines + x.roll(x.shape[-1] // 2, -1) * turns.sines


class CrossAttention(nn.Module):
    """(batch, steps, dim) attends to all of a memory (batch, m, dim)."""

    def __init__(self, dim: int, *, n_heads: int, dropout: float) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.dropout = dropout
        self.query = nn.Linear(dim, dim, bias=False)
        self.key_value = nn.Linear(dim, 2 * dim, bias=False)
        self.project_out = nn.Linear(dim, dim, bias=False)

    def forward(self, x: Tensor, memory: Tensor) -> Tensor:
        q = split_heads(self.query(x), self.n_heads)
        parts = self.key_value(memory).chunk(2, dim=-1)
        k, v = (split_heads(part, self.n_heads) for part in parts)
        dropout = self.dropout if self.training else 0.0
        out = F.scaled_dot_product_attention(q, k, v, dropout_p=dropout)
        return self.project_out(merge_heads(out))


def split_heads(x: Tensor, n_heads: int) -> Tensor:
    """(batch, steps, dim) -> (batch, heads, steps, head_dim)."""
    return x.unflatten(-1, (n_heads, -1)).transpose(1, 2)


def merge_heads(x: Tensor) -> Tensor:
    """(batch, heads, steps, head_dim) -> (batch, steps, dim)."""
    return x.transpose(1, 2).flatten(2)


class FeedForward(nn.Sequential):
    """Two linear layers with a GELU between them, four times as wide inside."""

    def __init__(self, dim: int, *, dropout: float) -> None:
        wide = nn.Linear(dim, 4 * dim)
        narrow = nn.Linear(4 * dim, dim)
        super().__init__(wide, nn.GELU(), narrow, nn.Dropout(dropout))


def forward_in_chunks(
    forward: Callable[[Tensor, State], tuple[Tensor, State]], x: Tensor, state: State
) -> tuple[Tensor, State]:
    """Run a network over a long input (batch, steps, n_in) in chunks, handing its state on.

    The memory that attention takes grows with the square of a chunk, not of the whole.
    """
    hidden = []
    for chunk in x.split(CHUNK_STEPS, dim=1):
        out, state = forward(chunk, state)
        hidden.append(out)
    return torch.cat(hidden, dim=1), state
