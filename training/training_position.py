"""Progress of a training, and its summary."""

import math
from dataclasses import dataclass, field, fields
from typing import Any, Self

from files.errors import ParameterError
from files.ranges import check_integer, check_number, shown
from training.options import MOST_STEPS

MOST_SECONDS = 1e10
MOST_LOSS = 1e30


@dataclass
class TrainingPosition:
    """Progress of a training; all fields are saved."""

    step: int = 0
    epoch: int = 0  # counted from 0
    batch: int = 0  # within the epoch
    seconds: float = 0.0  # in all runs
    wait_seconds: float = 0.0  # of these, waiting for data
    best_loss: float = math.inf  # the lowest validation loss
    best_step: int = -1  # none yet
    best_epoch: int = -1
    validation_losses: list[float] = field(default_factory=list)
    validated_step: int = -1  # the last validation
    validated_seconds: float = 0.0
    baselines: dict[str, float] = field(default_factory=dict)

    @property
    def wait_share(self) -> float:
        return self.wait_seconds / self.seconds if self.seconds else 0.0

    @property
    def steps_per_second(self) -> float:
        return self.step / self.seconds if self.seconds else 0.0

    @classmethod
    def from_saved(cls, values: Any) -> Self:
        """Make a position of saved values; raise ParameterError if they cannot have been."""
        names = [field.name for field in fields(cls)]
        if not isinstance(values, dict) or values.keys() != set(names):
            raise ParameterError(f"position must have {', '.join(names)}")
        at = cls(**values)
        at._check_counts()
        at._check_seconds()
        at._check_losses()
        return at

    def _check_counts(self) -> None:
        check_integer("position.step", self.step, 0, MOST_STEPS)
        check_integer("position.epoch", self.epoch, 0, self.step)
        check_integer("position.batch", self.batch, 0, self.step - self.epoch)
        check_integer("position.validated_step", self.validated_step, -1, self.step)
        check_integer("position.best_step", self.best_step, -1, self.validated_step)
        check_integer("position.best_epoch", self.best_epoch, -1, self.epoch)

    def _check_seconds(self) -> None:
        check_number("position.seconds", self.seconds, 0, MOST_SECONDS)
        check_number("position.wait_seconds", self.wait_seconds, 0, self.seconds)
        check_number("position.validated_seconds", self.validated_seconds, 0, self.seconds)

    def _check_losses(self) -> None:
        losses = self.validation_losses
        if not isinstance(losses, list) or not isinstance(self.baselines, dict):
            raise ParameterError("position.validation_losses must be a list, baselines by name")
        for number, loss in enumerate(losses):
            check_number(f"position.validation_losses[{number}]", loss, -MOST_LOSS, MOST_LOSS)
        for name, value in self.baselines.items():
            if not isinstance(name, str):
                raise ParameterError(f"position.baselines has the name {shown(name)}")
            check_number(f"position.baselines.{name}", value, -MOST_LOSS, MOST_LOSS)
        best = self.best_loss
        is_first = self.best_step < 0 and not losses and best == math.inf
        if type(best) is not float or not (is_first or (self.best_step >= 0 and best in losses)):
            raise ParameterError(f"position.best_loss={shown(best)} must be one of the losses")


@dataclass(frozen=True)
class TrainingSummary:
    """Summary of a training."""

    steps: int
    epochs: int  # begun
    best_step: int
    best_epoch: int  # counted from 1
    validation_loss: float  # the lowest
    validation_losses: list[float]  # all, in order
    baselines: dict[str, float]  # the same measure of baselines, by name
    seconds: float  # in all runs
    wait_share: float  # fraction of `seconds` spent waiting for data
    stopped_by: str  # "steps", "epochs", "patience", "minutes" or "interrupt"


def summarise(at: TrainingPosition, stopped_by: str) -> TrainingSummary:
    return TrainingSummary(
        steps=at.step,
        epochs=at.epoch + 1,
        best_step=at.best_step,
        best_epoch=at.best_epoch + 1,
        validation_loss=at.best_loss,
        validation_losses=at.validation_losses,
        baselines=at.baselines,
        seconds=at.seconds,
        wait_share=at.wait_share,
        stopped_by=stopped_by,
    )
