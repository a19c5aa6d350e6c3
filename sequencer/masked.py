"""A masked model: fills tokens of a sequence that are masked, from those that are not.

VampNet (García et al. 2023, arXiv 2307.04686), after MaskGIT (Chang et al. 2022, arXiv 2202.04200),
over the tokens of the tokens head: a step is `levels` codes of residual vector quantisation.

    steps      0    1    2    3    4    5
    level 0    17   3    ▢    ▢    8    17        ▢ is masked: the network sees a learned vector
    level 1    4    9    ▢    ▢    30   ▢         and says for each masked token how likely each
    level 2    21   2    ▢    ▢    5    ▢         code is, given all others, before and after it

A code enters by its vector in the codebook, beside a learned embedding. Unlike a forecaster the
network looks both ways, and nothing in it knows the length of the sequence. It begins with straight
lines between the steps that are known, see `sequencer.between`.
"""

from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn

from db.descriptors.derived import static_columns
from db.settings import DescriptorSettings
from files.ranges import check_names
from sequencer.attention import FeedForward, LocalAttention
from sequencer.between import Gaussians
from sequencer.masked_document import KIND, MaskedDocument, read_masked_document
from sequencer.scaled_model import ScaledModel
from sequencer.sizes import Sizes, check_heads
from sequencer.tokens import TokensHead, TokensSizes
from training.checkpoint import load_weights, rebuild, save_checkpoint


@dataclass(frozen=True)
class MaskedSizes(Sizes):
    """Sizes of the network."""

    dim: int = 192  # as the transformers that forecast
    n_layers: int = 4
    n_heads: int = 4
    # Steps that a layer looks to either side; no further than within the excerpts of training.
    span: int = 64
    dropout: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        check_heads(self.dim, self.n_heads)


@dataclass
class MaskedConfig:
    """Everything a checkpoint needs to rebuild its model."""

    settings: DescriptorSettings
    sizes: dict[str, Any] = field(default_factory=dict)
    head_sizes: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)  # how it was trained, and on what


class Block(nn.Module):
    """Attention both ways, then a feed-forward network, each added to its input."""

    def __init__(self, dim: int, *, n_heads: int, span: int, dropout: float) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(dim)
        self.attention = LocalAttention(dim, n_heads=n_heads, reach=span, dropout=dropout)
        self.forward_norm = nn.LayerNorm(dim)
        self.feed_forward = FeedForward(dim, dropout=dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, real: Tensor | None) -> Tensor:
        x = x + self.dropout(self.attention(self.attention_norm(x), real))
        return x + self.feed_forward(self.forward_norm(x))


class MaskedModel(ScaledModel):
    """codes (batch, steps, levels), `mask` where masked -> logits (batch, steps, levels, codes)."""

    config: MaskedConfig
    learning_rate = 1e-3

    def __init__(self, config: MaskedConfig) -> None:
        super().__init__()
        self.config = config
        n = len(static_columns(config.settings))
        check_names(config.sizes, asdict(MaskedSizes()))
        check_names(config.head_sizes, asdict(TokensSizes()))
        sizes = replace(MaskedSizes(), **config.sizes)
        self.head = TokensHead(sizes.dim, n, **asdict(replace(TokensSizes(), **config.head_sizes)))
        self.embed = nn.Linear(self.head.input_size(n), sizes.dim)
        self.blocks = nn.ModuleList(
            Block(sizes.dim, n_heads=sizes.n_heads, span=sizes.span, dropout=sizes.dropout)
            for _ in range(sizes.n_layers)
        )
        self.norm = nn.LayerNorm(sizes.dim)
        self.gaussians = Gaussians(sizes.dim, self.head.levels, self.head.quantiser.width)
        self.register_statistics(n)

    @property
    def levels(self) -> int:
        return self.head.levels

    @property
    def mask(self) -> int:
        """The code of a masked token."""
        return self.head.n_codes

    def forward(self, codes: Tensor, real: Tensor | None = None) -> Tensor:
        """Return the logits; steps that are not `real` (batch, steps), bool, are padding."""
        x = self.embed(self.head.embed(codes))
        for block in self.blocks:
            x = block(x, real)
        hidden = self.norm(x)
        quantiser = self.head.quantiser
        rests = self.gaussians.rests(quantiser, codes, real)
        logits = [
            self.head.logits(level, hidden, codes) + self.gaussians(level, hidden, rest, quantiser)
            for level, rest in enumerate(rests)
        ]
        return torch.stack(logits, dim=-2)

    def fit(self, sequences: list[Tensor]) -> list[Tensor]:
        """Fit codebooks and Gaussians to z-scored sequences (steps, n); return these as codes.

        The Gaussians are all that the model says at first.
        """
        self.head.fit(sequences)
        for part in (*self.head.projection.parameters(), *self.head.direction.parameters()):
            nn.init.zeros_(part)
        codes = [self.head.quantiser.quantise(sequence) for sequence in sequences]
        self.gaussians.fit(self.head.quantiser, codes)
        return codes

    def save(self, folder: str | Path) -> None:
        config = self.config
        values = {
            "sizes": config.sizes,
            "head_sizes": config.head_sizes,
            "descriptors": config.settings.to_dict(),
            "descriptor_hash": config.settings.hash,
            "training": config.training,
        }
        save_checkpoint(folder, kind=KIND, config=values, tensors=self.state_dict())

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Rebuild a masked model from its checkpoint, ready to fill tokens.

        Raises
        ------
        CheckpointError
            If it is missing, damaged, of another kind or version, or its parts do not fit each
            other.
        """
        document = read_masked_document(folder)
        return rebuild(folder, partial(cls._from_document, document), load_weights(folder))

    @classmethod
    def _from_document(cls, document: MaskedDocument) -> Self:
        settings = DescriptorSettings.from_dict(document.descriptors)
        return cls(MaskedConfig(settings, document.sizes, document.head_sizes, document.training))
