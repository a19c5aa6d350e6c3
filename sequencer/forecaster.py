"""A forecaster: architecture, head, statistics that normalise its input, and checkpoint.

It reads and forecasts only the independent columns (of MFCC the static coefficients); see
`db.descriptors.derived`.
"""

from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from db.descriptors.derived import static_columns
from db.settings import DescriptorSettings
from db.units import step_lengths
from sequencer.averages import SPANS, Spans
from sequencer.condition import CONDITION_SIZE, CoarseCondition, ConditionInput, TrackCondition
from sequencer.forecaster_document import (
    KIND,
    CoarseDocument,
    CoarseForecasterDocument,
    ForecasterDocument,
    TrackDocument,
    read_forecaster_document,
)
from sequencer.registry import build_network
from sequencer.scaled_model import ScaledModel
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
    condition: CoarseCondition | TrackCondition | None = None


class Forecaster(ScaledModel):
    """Maps sequences of independent columns to a distribution over each next step.

    Attributes
    ----------
    condition : ConditionInput, optional
        Of a forecaster that goes with another sequence; see `sequencer.condition`.
    coarse : Forecaster, optional
        The forecaster of that sequence, if it is one of means over groups of steps.
    """

    config: ForecasterConfig

    def __init__(self, config: ForecasterConfig) -> None:
        super().__init__()
        self.config = config
        names = [config.settings.names[column] for column in static_columns(config.settings)]
        n = len(names)
        self.architecture, self.head = build_network(
            config.architecture,
            config.head,
            n,
            n_extra=n * len(config.spans) + (CONDITION_SIZE if config.condition else 0),
            architecture_sizes=config.architecture_sizes,
            head_sizes=config.head_sizes,
        )
        self.head.name_columns(names)
        self.register_statistics(n)
        self.condition: ConditionInput | None = None
        self.coarse: Forecaster | None = None
        if config.condition:
            self.condition = ConditionInput(config.condition.names(config.settings))
        if isinstance(config.condition, CoarseCondition):
            self.coarse = Forecaster(config.condition.forecaster).requires_grad_(False)

    def step_samples(self, scores: Tensor) -> np.ndarray:
        """Return how long z-scored steps (steps, n_static) last, in samples, int64, (steps,)."""
        settings = self.config.settings
        raw = np.zeros((len(scores), settings.n_descriptors), np.float32)
        raw[:, static_columns(settings)] = self.denormalise(scores).cpu().numpy()
        return step_lengths(raw, settings)

    def join(self, encoded: Tensor, averages: Tensor, rows: Tensor | None = None) -> Tensor:
        """Return what enters the architecture, (batch, steps, n_in).

        Parameters
        ----------
        encoded : Tensor, shape (batch, steps, head's input size)
        averages : Tensor, shape (batch, steps, n_static * len(spans))
        rows : Tensor, shape (batch, steps, condition.width), optional
            Those of the condition, NaN where nothing is known; by default nothing is.
        """
        parts = [encoded, averages]
        if self.condition:
            if rows is None:
                unknown = (*encoded.shape[:2], self.condition.width)
                rows = encoded.new_full(unknown, torch.nan)
            parts.append(self.condition(rows))
        return torch.cat(parts, dim=-1)

    def forward(
        self, scores: Tensor, averages: Tensor, n_context: int = 0, rows: Tensor | None = None
    ) -> Tensor:
        """Return the hidden states (batch, steps, hidden_size) for the head.

        Parameters
        ----------
        scores : Tensor, shape (batch, n_context + steps, n_static), z-scored
            The first `n_context` steps are the past: an encoder reads them, a causal architecture
            goes through them.
        averages : Tensor, shape (batch, n_context + steps, n_static * len(spans))
            The slow averages of the scores, with the head's delay.
        rows : Tensor, shape (batch, n_context + steps, condition.width), optional
            Those of the condition; see `join`.
        """
        if self.training:
            kept = torch.rand(len(averages), 1, 1, device=averages.device) >= DROPPED_AVERAGES
            averages = averages * kept
        n_seed = n_context + 1
        averages = self.head.spread(averages, n_seed)
        if rows is not None:
            rows = self.head.spread(rows, n_seed)
        inputs = self.join(self.head.encode(scores, n_seed), averages, rows)
        first = self.head.n_primed(n_context)
        state = self.architecture.prime(inputs[:, :first])
        hidden, _ = self.architecture(inputs[:, first:], state)
        return hidden

    def save(self, folder: str | Path) -> None:
        settings = self.config.settings
        described = {"descriptors": settings.to_dict(), "descriptor_hash": settings.hash}
        config = {**described, **_values(self.config)}
        save_checkpoint(folder, kind=KIND, config=config, tensors=self.state_dict())

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
        settings = DescriptorSettings.from_dict(document.descriptors)
        return cls(_config(document, settings, _condition(document.condition, settings)))


def _values(config: ForecasterConfig) -> dict[str, Any]:
    """Return a config as a checkpoint holds it, without the descriptors."""
    values = {
        "architecture": config.architecture,
        "architecture_sizes": config.architecture_sizes,
        "head": config.head,
        "head_sizes": config.head_sizes,
        "spans": config.spans,
        "training": config.training,
    }
    match config.condition:
        case CoarseCondition(steps, coarse):
            condition = {"kind": "coarse", "steps": steps, "forecaster": _values(coarse)}
            return {**values, "condition": condition}
        case TrackCondition() as track:
            return {**values, "condition": {"kind": "track", **asdict(track)}}
    return values


def _config(
    document: ForecasterDocument | CoarseForecasterDocument,
    settings: DescriptorSettings,
    condition: CoarseCondition | TrackCondition | None = None,
) -> ForecasterConfig:
    return ForecasterConfig(
        document.architecture,
        settings,
        document.head,
        document.architecture_sizes,
        document.head_sizes,
        document.training,
        document.spans,
        condition,
    )


def _condition(
    document: CoarseDocument | TrackDocument | None, settings: DescriptorSettings
) -> CoarseCondition | TrackCondition | None:
    match document:
        case CoarseDocument():
            return CoarseCondition(document.steps, _config(document.forecaster, settings))
        case TrackDocument():
            return TrackCondition(document.pattern, document.step_samples)
    return None


def _new_name(name: str) -> str:
    """Return today's name of a tensor of an older checkpoint."""
    for before, today in RENAMED.items():
        if name.startswith(before):
            return name.replace(before, today, 1)
    return name
