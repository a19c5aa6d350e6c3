"""Causal transformer, one step ahead (Vaswani et al. 2017, arXiv 1706.03762).

Pre-norm (Xiong et al. 2020, arXiv 2002.04745).
"""

from dataclasses import dataclass

from torch import Tensor, nn

from sequencer.architecture import Architecture
from sequencer.attention import (
    CausalAttention,
    FeedForward,
    KeyValues,
    Rotary,
    Turns,
    forward_in_chunks,
)
from sequencer.sizes import Sizes, check_heads

State = list[KeyValues]


@dataclass(frozen=True)
class TransformerEncoderSizes(Sizes):
    """Sizes of the network."""

    dim: int = 192  # as many weights as the LSTM, about 1.8 million
    n_layers: int = 4
    n_heads: int = 4
    # Steps that a layer looks back, as long as a training excerpt; four layers together reach four
    # times as far.
    span: int = 128
    dropout: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        check_heads(self.dim, self.n_heads)


class Block(nn.Module):
    """Attention, then a feed-forward network, each added to its input."""

    def __init__(self, dim: int, *, n_heads: int, span: int, dropout: float) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(dim)
        self.attention = CausalAttention(dim, n_heads=n_heads, span=span, dropout=dropout)
        self.forward_norm = nn.LayerNorm(dim)
        self.feed_forward = FeedForward(dim, dropout=dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, turns: Turns, cache: KeyValues | None) -> tuple[Tensor, KeyValues]:
        attended, cache = self.attention(self.attention_norm(x), turns, cache)
        x = x + self.dropout(attended)
        return x + self.feed_forward(self.forward_norm(x)), cache


class TransformerEncoder(Architecture):
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
        self.rotary = Rotary(dim // n_heads)

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        return forward_in_chunks(self._forward_chunk, x, state or [])

    def _forward_chunk(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        hidden = self.embed(x)
        turns = self.rotary(state[0].position if state else 0, x.shape[1])
        caches = []
        for i, block in enumerate(self.blocks):
            hidden, cache = block(hidden, turns, state[i] if state else None)
            caches.append(cache)
        return self.norm(hidden), caches
