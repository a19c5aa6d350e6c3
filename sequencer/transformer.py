"""Encoder-decoder transformer (Vaswani et al. 2017, arXiv 1706.03762), pre-norm.

The encoder reads the past, in both directions. The decoder continues step by step and attends to
its own steps and to everything that the encoder has read.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from sequencer.architecture import Architecture
from sequencer.attention import (
    CausalAttention,
    CrossAttention,
    FeedForward,
    KeyValues,
    Rotary,
    Turns,
    forward_in_chunks,
)
from sequencer.sizes import Sizes, check_heads


@dataclass(frozen=True)
class TransformerSizes(Sizes):
    """Sizes of the network."""

    dim: int = 160  # with two sets of layers, about as many weights as the other architectures
    n_layers: int = 3  # of the encoder, and of the decoder
    n_heads: int = 4
    span: int = 128  # steps that a decoder layer looks back
    context_steps: int = 128  # steps that the encoder reads, the last 3 s of a seed of frames
    dropout: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        check_heads(self.dim, self.n_heads)


class State(NamedTuple):
    """The encoder's output, (batch, m, dim), and the decoder's caches."""

    memory: Tensor
    caches: list[KeyValues] | None


class DecoderBlock(nn.Module):
    """Self-attention, cross-attention and a feed-forward network, each added to its input."""

    def __init__(self, dim: int, *, n_heads: int, span: int, dropout: float) -> None:
        super().__init__()
        self.back_norm = nn.LayerNorm(dim)
        self.back = CausalAttention(dim, n_heads=n_heads, span=span, dropout=dropout)
        self.across_norm = nn.LayerNorm(dim)
        self.across = CrossAttention(dim, n_heads=n_heads, dropout=dropout)
        self.forward_norm = nn.LayerNorm(dim)
        self.feed_forward = FeedForward(dim, dropout=dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, x: Tensor, memory: Tensor, turns: Turns, cache: KeyValues | None
    ) -> tuple[Tensor, KeyValues]:
        looked_back, cache = self.back(self.back_norm(x), turns, cache)
        x = x + self.dropout(looked_back)
        x = x + self.dropout(self.across(self.across_norm(x), memory))
        return x + self.feed_forward(self.forward_norm(x)), cache


class EncoderBlock(nn.Module):
    """Self-attention in both directions, then a feed-forward network."""

    def __init__(self, dim: int, *, n_heads: int, dropout: float) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(dim)
        self.attention = CrossAttention(dim, n_heads=n_heads, dropout=dropout)
        self.forward_norm = nn.LayerNorm(dim)
        self.feed_forward = FeedForward(dim, dropout=dropout)

    def forward(self, x: Tensor) -> Tensor:
        normed = self.attention_norm(x)
        x = x + self.attention(normed, normed)
        return x + self.feed_forward(self.forward_norm(x))


class Transformer(Architecture):
    """(batch, steps, n_in) and the encoded past -> (batch, steps, dim), and the state."""

    learning_rate = 5e-4

    def __init__(
        self,
        n_in: int,
        *,
        dim: int,
        n_layers: int,
        n_heads: int,
        span: int,
        context_steps: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.hidden_size = dim
        self.context_steps = context_steps
        self.embed_context = nn.Linear(n_in, dim)
        self.embed = nn.Linear(n_in, dim)
        # Positions in the context are counted back from the present.
        self.distance = nn.Parameter(0.02 * torch.randn(context_steps, dim))
        self.start = nn.Parameter(0.02 * torch.randn(1, 1, dim))  # the memory if there is no past
        self.encoder = nn.ModuleList(
            EncoderBlock(dim, n_heads=n_heads, dropout=dropout) for _ in range(n_layers)
        )
        self.encoder_norm = nn.LayerNorm(dim)
        self.decoder = nn.ModuleList(
            DecoderBlock(dim, n_heads=n_heads, span=span, dropout=dropout) for _ in range(n_layers)
        )
        self.norm = nn.LayerNorm(dim)
        self.rotary = Rotary(dim // n_heads)

    def prime(self, context: Tensor) -> State:
        """Return the state after a context (batch, steps, n_in), which may be empty.

        Only its last `context_steps` steps are read.
        """
        context = context[:, -self.context_steps :]
        hidden = self.start.expand(len(context), -1, -1)
        if context.shape[1]:
            embedded = self.embed_context(context) + self.distance[-context.shape[1] :]
            hidden = torch.cat([hidden, embedded], dim=1)
        for block in self.encoder:
            hidden = block(hidden)
        return State(self.encoder_norm(hidden), None)

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        return forward_in_chunks(self._forward_chunk, x, state or self.prime(x[:, :0]))

    def _forward_chunk(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        hidden = self.embed(x)
        turns = self.rotary(state.caches[0].position if state.caches else 0, x.shape[1])
        caches = []
        for i, block in enumerate(self.decoder):
            cache = state.caches[i] if state.caches else None
            hidden, cache = block(hidden, state.memory, turns, cache)
            caches.append(cache)
        return self.norm(hidden), State(state.memory, caches)
