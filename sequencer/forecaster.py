"""A forecaster: architecture, head, statistics that normalise its input, and checkpoint.

It reads and forecasts only the independent columns (of MFCC the static coefficients); see
`db.descriptors.derived`.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn

from db.descriptors.derived import static_columns
from db.normaliser import Normaliser
from db.settings import DescriptorSettings
from sequencer.averages import FIRST_SPANS, SPANS, Spans
from sequencer.registry import build_network
from training.checkpoint import load_checkpoint, rebuilding, save_checkpoint

KIND = "forecaster"

# Share of the excerpts of a batch that are trained on without averages. By these a network tells
# which piece of a small corpus it hears, and goes on by heart.
DROPPED_AVERAGES = 0.3


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
        inputs = torch.cat([self.head.encode(scores), averages], dim=-1)
        state = self.architecture.prime(inputs[:, :n_context])
        hidden, _ = self.architecture(inputs[:, n_context:], state)
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
        values, tensors = load_checkpoint(folder, kind=KIND)
        with rebuilding(folder):
            if "model" in values:
                values, tensors = _renamed(values, tensors)
            config = ForecasterConfig(
                values["architecture"],
                DescriptorSettings.from_dict(values["descriptors"]),
                values["head"],
                values["architecture_sizes"],
                values["head_sizes"],
                values["training"],
                tuple(values.get("spans", FIRST_SPANS)),
            )
            model = cls(config)
            model.load_state_dict(tensors)
        return model.eval()


_RENAMED = {
    "model": "architecture",
    "seed": "random_seed",
    "held_out": "validation",
    "held_out_loss": "validation_loss",
}


def _renamed(
    values: dict[str, Any], tensors: dict[str, Tensor]
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return a checkpoint of 0.1.0 with today's names."""
    training = {_RENAMED.get(name, name): value for name, value in values["training"].items()}
    for part in {"sources", "steps"} & training.keys():
        training[part] = {_RENAMED.get(name, name): value for name, value in training[part].items()}
    new_values = {
        "architecture": values["model"],
        "architecture_sizes": values["body"],
        "head": values["head"],
        "head_sizes": values["head_config"],
        "descriptors": values["descriptors"],
        "training": training,
    }
    new_tensors = {}
    for name, tensor in tensors.items():
        new_name = name.replace("body.", "architecture.", 1) if name.startswith("body.") else name
        new_tensors[new_name] = tensor
    return new_values, new_tensors
