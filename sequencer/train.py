"""Train a forecaster on the sequences of a database; validate it on unseen sources."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from db.descriptors.derived import static_columns
from db.normaliser import Normaliser
from db.settings import DescriptorSettings
from files.errors import ParameterError
from files.progress import Progress, no_progress
from files.regular import is_missing
from sequencer.augmentation import Augmentation
from sequencer.forecaster import KIND, Forecaster, ForecasterConfig
from sequencer.forecaster_document import read_forecaster_document
from sequencer.loss import batch_loss, validation_loss
from sequencer.registry import ARCHITECTURES, HEADS, check_known
from sequencer.split import NamedSequences, split_sequences
from sequencer.windows import Batch, windows_for
from training.checkpoint import rebuilding
from training.checkpoint_config import CONFIG
from training.distributed import Distributed
from training.loop import TrainingLoop
from training.options import TrainingOptions
from training.trainable import Trainable
from training.training_position import TrainingPosition, TrainingSummary

GRADIENT_CLIP = 1.0
WARM_UP_STEPS = 100  # over which the learning rate rises to its value


@dataclass(frozen=True)
class ForecasterOptions(TrainingOptions):
    """Options for training. The defaults suit ten minutes to a hundred hours of audio."""

    architecture: str = "lstm"
    head: str = "mixture"
    epochs: int = 60
    patience: int = 6
    validate_epochs: bool = True
    # Steps of an excerpt, 3 s of frames; the slow averages sum up what came before.
    window: int = 128
    threads: int = 1  # two are only a third faster at these sizes, and only on an idle machine

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.window < 1:
            raise ParameterError(f"window={self.window} must be at least 1")
        check_known(self.architecture, self.head)


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


def train_forecaster(
    sequences: NamedSequences,
    folder: str | Path,
    *,
    settings: DescriptorSettings,
    normaliser: Normaliser,
    options: ForecasterOptions,
    resume: bool = False,
    wandb: bool = False,
    progress: Progress = no_progress,
) -> ForecasterSummary:
    """Train a forecaster, and save the weights with the lowest validation loss in a folder.

    Parameters
    ----------
    sequences : list of (name, ndarray (steps, n_descriptors) raw)
    resume : bool
        Continue where an earlier call with the same data and options ended.

    Raises
    ------
    ParameterError
        If there is too little to train on, an option is out of range, or there is nothing to
        resume.
    DatabaseError
        If the model to be resumed was trained with other descriptor settings.
    TrainingError
        If a loss is not a number; the best checkpoint so far is kept.
    """
    if resume:
        _check_settings(Path(folder), settings)
    with Distributed() as distributed:
        training = ForecasterTraining(sequences, settings, normaliser, options, distributed)
        loop = TrainingLoop(training, Path(folder), options, distributed, progress=progress)
        summary = loop.run(resume=resume, wandb=wandb)
    split = training.split
    return ForecasterSummary(
        **asdict(summary),
        architecture=options.architecture,
        head=options.head,
        split_by=split.by,
        train_sources=len(split.train),
        train_steps=count_steps(split.train),
        validation_sources=len(split.validation),
        validation_steps=count_steps(split.validation),
    )


def _check_settings(folder: Path, settings: DescriptorSettings) -> None:
    """Refuse other descriptor settings than those of the model in a folder, if it has one."""
    if is_missing(folder / CONFIG):
        return
    document = read_forecaster_document(folder)
    with rebuilding(folder):
        before = DescriptorSettings.from_dict(document.descriptors)
    settings.check_matches(before, mine="the database", theirs=f"the model {folder}")


class ForecasterTraining(Trainable):
    """A forecaster, its windows, its optimiser and the warm-up of the learning rate."""

    model: Forecaster

    def __init__(
        self,
        sequences: NamedSequences,
        settings: DescriptorSettings,
        normaliser: Normaliser,
        options: ForecasterOptions,
        distributed: Distributed,
    ) -> None:
        self.options = options
        self.distributed = distributed
        self.split = split_sequences(sequences, random_seed=options.random_seed)
        device = distributed.device(options.device)
        train = z_scored(self.split.train, settings, normaliser)
        validation = z_scored(self.split.validation, settings, normaliser)
        window = fit_window(train, options.window)
        self.model = _new_model(train, settings, normaliser, options).to(device)
        self.augmentation: Augmentation | None = None
        if HEADS[options.head].augment:
            self.augmentation = Augmentation(settings, normaliser)
        sizes = {"window": window, "batch_size": options.batch_size}
        self.train_windows = windows_for(self.model, train, **sizes)
        self.validation_windows = windows_for(self.model, validation, **sizes)
        self.rate = options.learning_rate or self.model.architecture.learning_rate
        self.optimiser = torch.optim.AdamW(self.model.parameters(), lr=self.rate)
        self.parts = {"model": self.model, "optimiser": self.optimiser}
        self.identity = {
            "kind": KIND,
            "architecture": options.architecture,
            "head": options.head,
            "window": options.window,
        }
        self.files = {name: [len(rows)] for name, rows in sequences if len(rows) > 1}

    def batches(self, epoch: int, skip: int) -> Iterator[Batch]:
        self.model.train()
        rng = np.random.default_rng([self.options.random_seed, epoch + 1])
        share = (self.distributed.rank, self.distributed.world_size)
        return self.train_windows.epoch(rng, skip=skip, share=share)

    def seed_numbers(self, at: TrainingPosition) -> tuple[int, ...]:
        return at.epoch + 1, at.batch

    def step(self, batch: Batch, n_steps: int) -> dict[str, float]:
        if self.augmentation:
            batch = self.augmentation(batch)
        loss, n_targets = batch_loss(self.model, batch, self.options.precision)
        total, n_targets = self.distributed.sum(loss.detach(), n_targets)
        self.optimiser.zero_grad()
        (loss / n_targets).backward()
        self.distributed.sum_gradients(self.model)
        nn.utils.clip_grad_norm_(self.model.parameters(), GRADIENT_CLIP)
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate * warm_up(n_steps)
        self.optimiser.step()
        return {"loss": float(total / n_targets)}

    def validate(self, ema: nn.Module) -> dict[str, float]:
        assert isinstance(ema, Forecaster)
        return {"loss": validation_loss(ema, self.validation_windows)}

    def save(self, ema: nn.Module, folder: Path, summary: dict[str, Any]) -> None:
        assert isinstance(ema, Forecaster)
        parts = {"train": self.split.train, "validation": self.split.validation}
        sources = {part: [name for name, _ in named] for part, named in parts.items()}
        steps = {part: count_steps(named) for part, named in parts.items()}
        training = {**summary, "sources": sources, "steps": steps}
        ema.config = replace(ema.config, training=training)
        ema.save(folder)


def warm_up(n_steps: int) -> float:
    """Return the share of the learning rate in a training step, counted from 1."""
    risen = min((n_steps - 1) / WARM_UP_STEPS, 1.0)
    return (1 + (WARM_UP_STEPS - 1) * risen) / WARM_UP_STEPS


def count_steps(sequences: NamedSequences) -> int:
    """Return the number of steps of all sequences."""
    return sum(len(rows) for _, rows in sequences)


def z_scored(
    sequences: NamedSequences, settings: DescriptorSettings, normaliser: Normaliser
) -> list[Tensor]:
    """Return the z-scored independent columns of each sequence."""
    columns = static_columns(settings)
    return [torch.from_numpy(normaliser.apply(rows)[:, columns]) for _, rows in sequences]


def fit_window(train: list[Tensor], window: int) -> int:
    """Return the length of training excerpts, at most half of a corpus that is too short for it."""
    n_steps = sum(map(len, train))
    return window if n_steps >= window else max(n_steps // 2, 1)


def _new_model(
    train: list[Tensor],
    settings: DescriptorSettings,
    normaliser: Normaliser,
    options: ForecasterOptions,
) -> Forecaster:
    """Make a forecaster with random weights, its statistics and head fitted to `train`."""
    everything = torch.cat(train)
    config = ForecasterConfig(
        options.architecture,
        settings,
        options.head,
        architecture_sizes=ARCHITECTURES[options.architecture].default_sizes,
        head_sizes=HEADS[options.head].network.sizes_for(len(everything)),
    )
    torch.manual_seed(options.random_seed)
    model = Forecaster(config)
    model.set_statistics(normaliser, low=everything.amin(0), high=everything.amax(0))
    model.head.fit(train)
    return model
