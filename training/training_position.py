"""Progress of a training, and its summary."""

import math
from dataclasses import dataclass, field


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
