"""A forecaster: architecture, head, statistics that normalise its input, and checkpoint.

It reads and forecasts only the independent columns (of MFCC the static coefficients); see
`db.descriptors.derived`.
"""

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn

from db.descriptors.derived import static_columns
from db.normaliser import Normaliser
from db.settings import DescriptorSettings
from sequencer.averages import SPANS, Spans
from sequencer.forecaster_document import KIND, ForecasterDocument, read_forecaster_document
from sequencer.registry import build_network
from training.checkpoint import load_weights, rebuild, save_checkpoint

# Share of the excerpts of a batch that are trained on without averages. By these a network tells
# which piece of a small corpus it hears, and goes on by heart.
DROPPED_AVERAGES = 0.3

# How names of tensors began in older checkpoints, and begin today.
RENAMED = {"body.": "architecture.", "head.codebooks": "head.quantiser.codebooks"}


@dataclass
class ForecasterConfig:
    """Everything a checkpoint needs to rebuild its model."""

    architecture: str
    settings: DescriptorSettings
    head: str = "mixture"
    architecture_sizes: dict[str, Any] = field(default_factory=dict)
    head_sizes: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)  # how it was trained, and on what
    spans: Spans = SPANS  # of the slow averages


class Forecaster(nn.Module):
    """Maps sequences of independent columns to a distribution over each next step."""

    mean: Tensor
    std: Tensor
    low: Tensor
    high: Tensor

    def __init__(self, config: ForecasterConfig) -> None:
        super().__init__()
        self.config = config
        names = [config.settings.names[column] for column in static_columns(config.settings)]
        n = len(names)
        self.architecture, self.head = build_network(
            config.architecture,
            config.head,
            n,
            n_averages=len(config.spans),
            architecture_sizes=config.architecture_sizes,
            head_sizes=config.head_sizes,
        )
        self.head.name_columns(names)
        for name, value in {"mean": 0.0, "std": 1.0, "low": -8.0, "high": 8.0}.items():
            self.register_buffer(name, torch.full((n,), value))

    def set_statistics(self, normaliser: Normaliser, *, low: Tensor, high: Tensor) -> None:
        """Set the database's normaliser and the z-scored range of the training data.

        `low` and `high` are (n_static,).
        """
        columns = static_columns(self.config.settings)
        self.mean.copy_(torch.from_numpy(normaliser.mean[columns]))
        self.std.copy_(torch.from_numpy(normaliser.std[columns]))
        self.low.copy_(low)
        self.high.copy_(high)

    def normalise(self, static: Tensor) -> Tensor:
        return (static - self.mean) / self.std

    def denormalise(self, scores: Tensor) -> Tensor:
        return scores * self.std + self.mean

    def forward(self, scores: Tensor, averages: Tensor, n_context: int = 0) -> Tensor:
        """Return the hidden states (batch, steps, hidden_size) for the head.

        Parameters
        ----------
        scores : Tensor, shape (batch, n_context + steps, n_static), z-scored
            The first `n_context` steps are the past: an encoder reads them, a causal architecture
            goes through them.
        averages : Tensor, shape (batch, n_context + steps, n_static * len(spans))
            The slow averages of the scores, with the head's delay.
        """
        if self.training:
            kept = torch.rand(len(averages), 1, 1, device=averages.device) >= DROPPED_AVERAGES
            averages = averages * kept
        n_seed = n_context + 1
        averages = self.head.spread(averages, n_seed)
        inputs = torch.cat([self.head.encode(scores, n_seed), averages], dim=-1)
        first = self.head.n_primed(n_context)
        state = self.architecture.prime(inputs[:, :first])
        hidden, _ = self.architecture(inputs[:, first:], state)
        return hidden

    def save(self, folder: str | Path) -> None:
        config = self.config
        values = {
            "architecture": config.architecture,
            "architecture_sizes": config.architecture_sizes,
            "head": config.head,
            "head_sizes": config.head_sizes,
            "descriptors": config.settings.to_dict(),
            "descriptor_hash": config.settings.hash,
            "spans": config.spans,
            "training": config.training,
        }
        save_checkpoint(folder, kind=KIND, config=values, tensors=self.state_dict())

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Rebuild a forecaster from its checkpoint, ready to forecast.

        Raises
        ------
        CheckpointError
            If it is missing, damaged, of another kind or version, or its parts do not fit each
            other.
        """
        document = read_forecaster_document(folder)
        tensors = {_new_name(name): tensor for name, tensor in load_weights(folder).items()}

        return rebuild(folder, partial(cls._from_document, document), tensors)

    @classmethod
    def _from_document(cls, document: ForecasterDocument) -> Self:
        return cls(
            ForecasterConfig(
                document.architecture,
                DescriptorSettings.from_dict(document.descriptors),
                document.head,
                document.architecture_sizes,
                document.head_sizes,
                document.training,
                document.spans,
            )
        )


def _new_name(name: str) -> str:
    """Return today's name of a tensor of an older checkpoint."""
    for before, today in RENAMED.items():
        if name.startswith(before):
            return name.replace(before, today, 1)
    return name
