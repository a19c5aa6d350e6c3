"""What trainings on the sequences of a database share: split, optimiser, checkpoint, summary."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sequencer.scaled_model import ScaledModel
from sequencer.split import NamedSequences, Split, count_steps
from sequencer.warm_up import warm_up
from training.distributed import Distributed
from training.options import TrainingOptions
from training.trainable import Trainable
from training.training_position import TrainingPosition, TrainingSummary

GRADIENT_CLIP = 1.0


@dataclass(frozen=True)
class ForecasterSummary(TrainingSummary):
    """Summary of a training; validation losses are in the head's `loss_unit`."""

    architecture: str
    head: str
    split_by: str  # "source" or "time"
    train_sources: int
    train_steps: int  # of sequences
    validation_sources: int
    validation_steps: int
    coarse_loss: float | None = None  # the lowest of the coarse level, if there is one
    of_coarse: bool = False  # True if only the coarse level was trained, and not to its end


class SequenceTraining(Trainable):
    """A model of sequences, its windows, its optimiser and the warm-up of the learning rate.

    Subclasses define `step` and `validate`, and set the attributes.

    Attributes
    ----------
    train_windows, validation_windows
        With a method `epoch`.
    facts : dict
        What a `ForecasterSummary` says of the model.
    """

    model: ScaledModel
    facts: dict[str, Any]
    train_windows: Any
    validation_windows: Any

    def __init__(
        self,
        model: ScaledModel,
        sequences: NamedSequences,
        split: Split,
        options: TrainingOptions,
        distributed: Distributed,
        *,
        rate: float,
    ) -> None:
        self.model = model.to(distributed.device(options.device))
        self.split = split
        self.options = options
        self.distributed = distributed
        self.rate = options.learning_rate or rate
        trained = [p for p in model.parameters() if p.requires_grad]
        self.optimiser = torch.optim.AdamW(trained, lr=self.rate)
        self.parts = {"model": self.model, "optimiser": self.optimiser}
        self.files = {name: [len(rows)] for name, rows in sequences if len(rows) > 1}

    def batches(self, epoch: int, skip: int) -> Iterator[Any]:
        self.model.train()
        rng = np.random.default_rng([self.options.random_seed, epoch + 1])
        share = (self.distributed.rank, self.distributed.world_size)
        return self.train_windows.epoch(rng, skip=skip, share=share)

    def seed_numbers(self, at: TrainingPosition) -> tuple[int, ...]:
        return at.epoch + 1, at.batch

    def descend(self, loss: Tensor, n_targets: Tensor, n_steps: int) -> dict[str, float]:
        """Make training step number `n_steps` down the mean of a loss that is summed over targets.

        Both are of this process; the mean is that over all processes.
        """
        total, n_targets = self.distributed.sum(loss.detach(), n_targets)
        n_targets = n_targets.clamp(min=1)  # masks may hide none
        self.optimiser.zero_grad()
        (loss / n_targets).backward()
        self.distributed.sum_gradients(self.model)
        nn.utils.clip_grad_norm_(self.model.parameters(), GRADIENT_CLIP)
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate * warm_up(n_steps)
        self.optimiser.step()
        return {"loss": float(total / n_targets)}

    def save(self, ema: nn.Module, folder: Path, summary: dict[str, Any]) -> None:
        assert isinstance(ema, ScaledModel)
        parts = {"train": self.split.train, "validation": self.split.validation}
        sources = {part: [name for name, _ in named] for part, named in parts.items()}
        steps = {part: count_steps(named) for part, named in parts.items()}
        training = {**summary, "sources": sources, "steps": steps}
        ema.config = replace(ema.config, training=training)
        ema.save(folder)

    def summarise(self, summary: TrainingSummary) -> ForecasterSummary:
        """Return a summary of the training with what was trained on what."""
        return ForecasterSummary(
            **asdict(summary),
            **self.facts,
            split_by=self.split.by,
            train_sources=len(self.split.train),
            train_steps=count_steps(self.split.train),
            validation_sources=len(self.split.validation),
            validation_steps=count_steps(self.split.validation),
        )
