"""A forecaster: body, head, the statistics that normalise its input, and its checkpoint.

It sees and forecasts the independent columns, of MFCC the static coefficients; see
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
from sequencer.models import build_parts
from training.checkpoint import load_checkpoint, rebuilding, save_checkpoint

KIND = "forecaster"


@dataclass
class ForecasterConfig:
    """Everything a checkpoint needs to rebuild its model."""

    model: str
    settings: DescriptorSettings
    head: str = "mixture"
    body_config: dict[str, Any] = field(default_factory=dict)
    head_config: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)


class Forecaster(nn.Module):
    """Sequences (batch, steps, n_static), raw independent columns, to a distribution over each next
    step.
    """

    mean: Tensor
    std: Tensor
    low: Tensor
    high: Tensor

    def __init__(self, config: ForecasterConfig) -> None:
        super().__init__()
        self.config = config
        n = len(static_columns(config.settings))
        self.body, self.head = build_parts(
            config.model, config.head, n, config.body_config, config.head_config
        )
        for name, value in {"mean": 0.0, "std": 1.0, "low": -8.0, "high": 8.0}.items():
            self.register_buffer(name, torch.full((n,), value))

    def set_statistics(self, normaliser: Normaliser, *, low: Tensor, high: Tensor) -> None:
        """Take over the database's normaliser and the z-scored range of the training data, each
        shape (n_static,).
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
        """z-scored (batch, n_context + steps, n_static) -> hidden (batch, steps, hidden_size) for
        the head.

        The first `n_context` steps are what came before: an encoder reads them, a causal body goes
        through them. `averages` are those of `sequencer.averages`, the head's delay ago.
        """
        inputs = torch.cat([self.head.encode(scores), averages], dim=-1)
        hidden, _ = self.body(inputs[:, n_context:], self.body.prime(inputs[:, :n_context]))
        return hidden

    def save(self, folder: str | Path) -> None:
        config = self.config
        values = {
            "model": config.model,
            "head": config.head,
            "body": config.body_config,
            "head_config": config.head_config,
            "descriptors": config.settings.to_dict(),
            "descriptor_hash": config.settings.hash,
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
            settings = DescriptorSettings.from_dict(values["descriptors"])
            config = ForecasterConfig(
                values["model"],
                settings,
                values["head"],
                values["body"],
                values["head_config"],
                _training_facts(values["training"]),
            )
            model = cls(config)
            model.load_state_dict(tensors)
        return model.eval()


def _training_facts(training: dict[str, Any]) -> dict[str, Any]:
    """Return how a model was trained in today's words: checkpoints of 0.1.0 said "held out"."""
    if "held_out_loss" not in training:
        return training
    facts = {**training, "validation_loss": training["held_out_loss"]}
    del facts["held_out_loss"]
    for name in {"sources", "steps"} & facts.keys():
        part = facts[name]
        facts[name] = {"train": part["train"], "validation": part["held_out"]}
    return facts
