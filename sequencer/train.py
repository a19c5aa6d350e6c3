"""Train a forecaster on the sequences of a database: likelihood up, judged on sources it has not
seen.
"""

import copy
import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from db.descriptors.derived import static_columns
from db.normaliser import Normaliser
from db.settings import DescriptorSettings
from files.errors import ParameterError, TrainingError
from sequencer.forecaster import Forecaster, ForecasterConfig
from sequencer.loss import batch_loss, validation_loss, windows_for
from sequencer.models import BODIES, HEADS, check_parts
from sequencer.split import Named, Split, split_sequences
from sequencer.windows import Batch
from training.checkpoint import load_training_state, save_training_state
from training.distributed import Distributed
from training.ema import update_ema
from training.interrupt import Interrupt
from training.precision import check_precision
from training.sparkline import sparkline
from training.threads import torch_threads
from training.tracking import Tracker

GRADIENT_CLIP = 1.0
WARM_UP = 100  # batches in which the learning rate rises to its value
JUDGE_BATCHES = (
    1000  # a long epoch is judged in between, so that hours of work are not saved at its end alone
)
SAVE_SECONDS = 60.0  # between two saves of the training state within an epoch


@dataclass(frozen=True)
class TrainingOptions:
    """How to train. The defaults suit ten minutes to a hundred hours of audio."""

    model: str = "lstm"
    head: str = "mixture"
    epochs: int = 60  # at most: training stops when the held-out likelihood does
    minutes: float | None = None  # at most, of this run
    patience: int = 6  # epochs without improvement
    window: int = (
        128  # steps of a training excerpt, 3 s of frames; slow averages tell of what was before
    )
    batch_size: int = 16
    learning_rate: float | None = None  # the model's own
    precision: str = "float32"
    seed: int = 0
    device: str = "cpu"
    threads: int = 1  # at these sizes two gain a third, and only on an idle machine

    def __post_init__(self) -> None:
        for name in ("epochs", "patience", "window", "batch_size", "threads"):
            if getattr(self, name) < 1:
                raise ParameterError(f"{name}={getattr(self, name)} must be at least 1")
        for name in ("learning_rate", "minutes"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value > 0):
                raise ParameterError(f"{name}={value} must be a positive number")
        check_parts(self.model, self.head)
        check_precision(self.precision)

    def identity(self) -> dict[str, Any]:
        """What decides the weights: not how long to train, where, or in how many sessions."""
        values = asdict(self)
        return {
            k: v
            for k, v in values.items()
            if k not in ("epochs", "minutes", "patience", "device", "threads")
        }


@dataclass(frozen=True)
class TrainingSummary:
    """How training went. The loss is in the head's `loss_unit`."""

    model: str
    head: str
    epochs: int
    best_epoch: int
    seconds: float
    split_by: str
    train_sources: int
    train_steps: int
    validation_sources: int
    validation_steps: int
    validation_loss: float
    losses: list[float]  # held out, one or more for each epoch
    stopped_by: str  # "epochs", "patience", "minutes" or "interrupt"


@dataclass
class _Progress:
    """Where a training stands; all of it is in the training state."""

    epoch: int = 1
    batch: int = 0  # done in this epoch
    updates: int = 0  # in all
    loss: float = 0.0  # summed over this epoch
    steps: float = 0.0
    best: float = math.inf
    best_epoch: int = 0
    losses: list[float] = field(default_factory=list)  # held out, of every judgement


def train_forecaster(
    sequences: Named,
    out: str | Path,
    *,
    settings: DescriptorSettings,
    normaliser: Normaliser,
    options: TrainingOptions,
    resume: bool = False,
    wandb: bool = False,
    progress: Callable[[int, int, str], None] | None = None,
) -> TrainingSummary:
    """Train and leave the best checkpoint, by held-out loss, in the folder `out`.

    Parameters
    ----------
    sequences : list of (name, ndarray (steps, n_descriptors) raw)
    resume : bool
        Go on where an earlier call with the same data and options was interrupted; the result is
        that of one call.
    progress : callable (epochs done, epochs at most, what)

    Raises
    ------
    ParameterError
        If there is too little to train on, an option is out of range, or there is nothing to
        resume.
    TrainingError
        If the loss is not a number; the best checkpoint so far stays.
    """
    with Distributed() as processes:
        training = _Training(sequences, Path(out), settings, normaliser, options, processes)
        return training.run(resume=resume, wandb=wandb, tell=progress)


class _Training:
    """One training: model, optimiser, data, and where it stands.

    What is judged and kept is not the model that is trained but the average of its weights over the
    latest updates, which does what lowering the learning rate does, and needs no plan of how long
    training will last (Karras et al. 2024, arXiv 2312.02696: the share of an update falls as a
    power of the number of updates since).
    """

    def __init__(
        self,
        sequences: Named,
        out: Path,
        settings: DescriptorSettings,
        normaliser: Normaliser,
        options: TrainingOptions,
        processes: Distributed,
    ) -> None:
        self.out = out
        self.options = options
        self.processes = processes
        self.started = time.perf_counter()
        self.split = split_sequences(sequences, seed=options.seed)
        device = processes.device(options.device)
        train, validation = (
            _independent(part, settings, normaliser)
            for part in (self.split.train, self.split.validation)
        )
        everything = torch.cat(train)
        if len(everything) < options.window:
            raise ParameterError(
                f"{len(everything)} steps to train on are fewer than one window of"
                f" {options.window}; add longer audio, or train with --window"
                f" {max(len(everything) // 2, 1)}"
            )
        torch.manual_seed(options.seed)
        sizes_of_body = dict(BODIES[options.model][1])
        sizes_of_head = HEADS[options.head].sizes(len(everything))
        self.model = Forecaster(
            ForecasterConfig(options.model, settings, options.head, sizes_of_body, sizes_of_head)
        )
        self.model.set_statistics(normaliser, low=everything.amin(0), high=everything.amax(0))
        self.model.head.fit(train)
        self.model.to(device)
        self.average = copy.deepcopy(self.model).eval()
        sizes = {"window": options.window, "batch_size": options.batch_size}
        self.train, self.validation = (
            windows_for(self.model, part, **sizes) for part in (train, validation)
        )
        rate = options.learning_rate or self.model.body.learning_rate
        self.optimiser = torch.optim.AdamW(self.model.parameters(), lr=rate)
        self.schedule = torch.optim.lr_scheduler.LinearLR(
            self.optimiser, 1 / WARM_UP, total_iters=WARM_UP
        )
        self.at = _Progress()
        self.interrupt = Interrupt()
        self.saved = time.perf_counter()

    def run(
        self, *, resume: bool, wandb: bool, tell: Callable[[int, int, str], None] | None
    ) -> TrainingSummary:
        options = self.options
        stopped_by = "epochs"
        if resume:
            self._load()
        elif self.processes.is_main:
            self._save()
        with (
            torch_threads(options.threads),
            self._tracker(wandb=wandb, resume=resume) as tracker,
            self.interrupt,
        ):
            try:
                while True:
                    if not self._epoch(tracker):
                        stopped_by = "interrupt" if self.interrupt.asked else "minutes"
                        if stopped_by == "minutes" or not self.at.best_epoch:
                            self._validate(tracker)
                        break
                    loss = self._validate(tracker)
                    if tell:
                        curve = sparkline(self.at.losses)
                        tell(
                            self.at.epoch,
                            options.epochs,
                            f"held-out loss {curve} {loss:.3f} (best {self.at.best:.3f})",
                        )
                    if self.at.epoch - self.at.best_epoch >= options.patience:
                        stopped_by = "patience"
                        break
                    if self.at.epoch == options.epochs:
                        break
                    self.at = replace(
                        self.at, epoch=self.at.epoch + 1, batch=0, loss=0.0, steps=0.0
                    )
                    self._save()
            except (
                KeyboardInterrupt
            ):  # asked twice, perhaps within an update: the last save is what can be gone on from
                stopped_by = "interrupt"
                if not self.at.best_epoch:
                    self._validate(tracker)
        return self._finish(stopped_by)

    def _epoch(self, tracker: Tracker | None) -> bool:
        """Go through what is left of the epoch; False if training is to stop before its end."""
        self.model.train()
        rng = np.random.default_rng([self.options.seed, self.at.epoch])
        share = (self.processes.rank, self.processes.world_size)
        for batch in self.train.epoch(rng, skip=self.at.batch, share=share):
            stop = self._update(batch)
            now = time.perf_counter()
            if stop:
                self._save()
                return False
            if now - self.saved > SAVE_SECONDS:
                self._save()
            if self.at.batch % JUDGE_BATCHES == 0:
                self._validate(tracker)
        return True

    def _update(self, batch: Batch) -> bool:
        """One step of the optimiser; whether time is up, or Ctrl-C was pressed, for any of the
        processes.
        """
        at = self.at
        options = self.options
        torch.manual_seed(
            int(
                np.random.SeedSequence(
                    [options.seed, at.epoch, at.batch, self.processes.rank]
                ).generate_state(1)[0]
            )
        )
        loss, n_steps = batch_loss(self.model, batch, options.precision)
        time_is_up = (
            options.minutes is not None
            and time.perf_counter() - self.started > 60 * options.minutes
        )
        stop = loss.new_tensor(float(time_is_up or self.interrupt.asked))
        total, n_steps, stop = self.processes.sum(loss.detach(), n_steps, stop)
        if not torch.isfinite(total):
            raise TrainingError(
                "the loss is not a number; train with a smaller --learning-rate, or look for broken"
                " audio"
            )
        self.optimiser.zero_grad()
        (loss / n_steps).backward()
        self.processes.sum_gradients(self.model)
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), GRADIENT_CLIP)
        self.optimiser.step()
        self.schedule.step()
        at.batch += 1
        at.updates += 1
        at.loss += float(total)
        at.steps += float(n_steps)
        update_ema(self.average, self.model, at.updates)
        return bool(stop)

    def _validate(self, tracker: Tracker | None) -> float:
        """Held-out loss of the averaged weights; the best so far is kept."""
        at = self.at
        loss = validation_loss(self.average, self.validation)
        at.losses.append(loss)
        seconds = time.perf_counter() - self.started
        train_loss = at.loss / at.steps if at.steps else None
        if tracker:
            tracker.log(
                {
                    "epoch": at.epoch,
                    "train/loss": train_loss,
                    "validation/loss": loss,
                    "seconds": seconds,
                }
            )
        if not math.isfinite(loss):
            raise TrainingError(
                "the held-out loss is not a number; train with a smaller --learning-rate"
            )
        if loss < at.best:
            at.best = loss
            at.best_epoch = at.epoch
            steps = {"train": _steps(self.split.train), "validation": _steps(self.split.validation)}
            judged = {
                "epoch": at.epoch,
                "validation_loss": loss,
                "sources": _names(self.split),
                "steps": steps,
            }
            self.average.config = replace(
                self.average.config, training={**self.options.identity(), **judged}
            )
            if self.processes.is_main:
                self.average.save(self.out)
        return loss

    def _finish(self, stopped_by: str) -> TrainingSummary:
        at = self.at
        split = self.split
        return TrainingSummary(
            self.options.model,
            self.options.head,
            at.epoch,
            at.best_epoch,
            time.perf_counter() - self.started,
            split.by,
            len(split.train),
            _steps(split.train),
            len(split.validation),
            _steps(split.validation),
            at.best,
            at.losses,
            stopped_by,
        )

    def _tracker(self, *, wandb: bool, resume: bool) -> AbstractContextManager[Tracker | None]:
        if not self.processes.is_main:
            return nullcontext()
        return Tracker(self.out, wandb=wandb, config=asdict(self.options), resume=resume)

    def _save(self) -> None:
        self.saved = time.perf_counter()
        if not self.processes.is_main:
            return
        state = {
            "options": self.options.identity(),
            "sources": _names(self.split),
            "progress": asdict(self.at),
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "schedule": self.schedule.state_dict(),
            "processes": self.processes.world_size,
        }
        save_training_state(self.out, state)

    def _load(self) -> None:
        state = load_training_state(self.out)
        for name, value in self.options.identity().items():
            if state["options"].get(name) != value:
                raise ParameterError(
                    f"{self.out}: was trained with {name} {state['options'].get(name)}, not"
                    f" {value}; resume with the same"
                )
        if state["sources"] != _names(self.split):
            raise ParameterError(
                f"{self.out}: was trained on other sources; the database has changed: train anew"
                " with --force"
            )
        if state["processes"] != self.processes.world_size:
            raise ParameterError(
                f"{self.out}: was trained by {state['processes']} processes, not"
                f" {self.processes.world_size}; resume with as many"
            )
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.schedule.load_state_dict(state["schedule"])
        self.at = _Progress(**state["progress"])


def _independent(part: Named, settings: DescriptorSettings, normaliser: Normaliser) -> list[Tensor]:
    """z-scored independent columns of each sequence."""
    columns = static_columns(settings)
    return [torch.from_numpy(normaliser.apply(rows)[:, columns]) for _, rows in part]


def _steps(part: Named) -> int:
    return sum(len(rows) for _, rows in part)


def _names(split: Split) -> dict[str, Any]:
    return {
        "train": [name for name, _ in split.train],
        "validation": [name for name, _ in split.validation],
    }
