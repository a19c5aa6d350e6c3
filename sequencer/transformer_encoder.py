"""Causal transformer, one step ahead (Vaswani et al.

2017, arXiv 1706.03762); pre-norm (Xiong et al. 2020, 2002.04745).
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sequencer.attention import CausalAttention, FeedForward, KeyValues
from sequencer.body import Body

# a longer input goes through the cache in parts: attention's memory grows with the part, not the
# whole
CHUNK_STEPS = 512

State = list[KeyValues]


@dataclass(frozen=True)
class TransformerEncoderConfig:
    """Sizes of the body."""

    dim: int = 192  # as many parameters as the LSTM, about 1.8 million
    n_layers: int = 4
    n_heads: int = 4
    # steps that a layer looks back, as long as a training excerpt; four layers reach four times as
    # far
    span: int = 128
    dropout: float = 0.1


class Block(nn.Module):
    """Attention, then a feed-forward network, each added to what it was given."""

    def __init__(self, dim: int, *, n_heads: int, span: int, dropout: float) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(dim)
        self.attention = CausalAttention(dim, n_heads=n_heads, span=span, dropout=dropout)
        self.forward_norm = nn.LayerNorm(dim)
        self.feed_forward = FeedForward(dim, dropout=dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, cache: KeyValues | None) -> tuple[Tensor, KeyValues]:
        attended, cache = self.attention(self.attention_norm(x), cache)
        x = x + self.dropout(attended)
        return x + self.feed_forward(self.forward_norm(x)), cache


class TransformerEncoderBody(Body):
    """(batch, steps, n_in) -> (batch, steps, dim), and the cache after the last step."""

    learning_rate = 5e-4

    def __init__(
        self, n_in: int, *, dim: int, n_layers: int, n_heads: int, span: int, dropout: float
    ) -> None:
        super().__init__()
        self.hidden_size = dim
        self.embed = nn.Linear(n_in, dim)
        self.blocks = nn.ModuleList(
            Block(dim, n_heads=n_heads, span=span, dropout=dropout) for _ in range(n_layers)
        )
        self.norm = nn.LayerNorm(dim)

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        if x.shape[1] > CHUNK_STEPS:
            first, state = self(x[:, :CHUNK_STEPS], state)
            rest, state = self(x[:, CHUNK_STEPS:], state)
            return torch.cat([first, rest], dim=1), state
        hidden = self.embed(x)
        caches = []
        for i, block in enumerate(self.blocks):
            hidden, cache = block(hidden, state[i] if state else None)
            caches.append(cache)
        return self.norm(hidden), caches


def build(n_in: int, config: dict[str, float]) -> TransformerEncoderBody:
    """A body from the plain values of `TransformerEncoderConfig`."""
    checked = TransformerEncoderConfig(**config)  # type: ignore[arg-type]
    return TransformerEncoderBody(n_in, **vars(checked))
