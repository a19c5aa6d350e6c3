"""The training loop of vocoders and generators: batches in, checkpoints, log, pictures and sounds
out.
"""

import math
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import soundfile as sf
import torch

from files.errors import CheckpointError, ParameterError, TrainingError
from files.progress import Progress as Tell
from synth.mel import PRESETS, MelSettings
from training.checkpoint import STATE, save_training_state
from training.distributed import Distributed
from training.interrupt import Interrupt
from training.precision import check_precision
from training.resume import check_same, load_state
from training.threads import torch_threads
from training.tracking import Tracker

SAVE_SECONDS = 120.0  # between two saves of the training state
LOG_STEPS = 50
MOST_STEPS = 1_000_000  # of a training that is not told when to end
SESSION = (
    "steps",
    "minutes",
    "validate_minutes",
    "show_minutes",
    "device",
    "threads",
)  # options that may differ when resumed


@dataclass(frozen=True)
class LoopOptions:
    """How long to train, and how often to look at it."""

    steps: int = MOST_STEPS  # updates, at most
    minutes: float | None = None  # at most, of this run
    validate_steps: int = 1000  # between two looks at the held-out recordings, and
    validate_minutes: float = (
        5.0  # of training between two, at most, unless only updates are counted
    )
    show_minutes: float = 10.0  # between two pictures and sounds
    batch_size: int = 16
    mel: str = "22k"
    n_mels: int | None = None  # the preset's own
    learning_rate: float | None = None  # the recipe's own
    precision: str = "float32"
    seed: int = 0
    device: str = "cpu"
    threads: int | None = None  # all

    def __post_init__(self) -> None:
        for name in ("steps", "validate_steps", "batch_size", "threads"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ParameterError(f"{name}={value} must be at least 1")
        for name in ("minutes", "learning_rate", "validate_minutes", "show_minutes"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value > 0):
                raise ParameterError(f"{name}={value} must be a positive number")
        if self.mel not in PRESETS:
            raise ParameterError(
                f"mel={self.mel!r} is not known; choose one of {', '.join(PRESETS)}"
            )
        check_precision(self.precision)

    def mel_settings(self) -> MelSettings:
        preset = PRESETS[self.mel]
        return replace(preset, n_mels=preset.n_mels if self.n_mels is None else self.n_mels)

    def validates_by_time(self) -> bool:
        """Not where updates alone decide how long to train: there the same seed keeps the same
        weights.
        """
        return self.minutes is not None or self.steps == MOST_STEPS

    def identity(self) -> dict[str, Any]:
        """What decides the weights: not how long to train, where, or in how many sessions."""
        kept = ("validate_steps", "batch_size", "learning_rate", "precision", "seed")
        return {name: getattr(self, name) for name in kept}


class Trainee(Protocol):
    """What is trained.

    `judge` returns held-out measures; the first decides which weights are the best.
    """

    identity: dict[str, Any]  # of the data and the recipe
    files: dict[str, list[int]]  # of the recordings: name to size and date
    adversarial_from: int  # updates before an discriminator joins
    started: bool  # from trained weights
    trained: str  # what the losses of what is trained, and not of its adversaries, begin with

    def batches(self, rng: np.random.Generator, skip: int) -> Iterator[Any]: ...
    def step(self, batch: Any, n_updates: int) -> dict[str, float]: ...
    def validate(self) -> dict[str, float]: ...
    def references(
        self,
    ) -> dict[str, float]: ...  # what the first measure is of other things, to compare with
    def end_epoch(self) -> None: ...
    def state(self) -> dict[str, Any]: ...
    def load_state(self, state: dict[str, Any]) -> None: ...
    def save_best(self, folder: Path, summary: dict[str, Any]) -> None: ...
    def show(self, folder: Path, step: int) -> list[Path]: ...


@dataclass
class Progress:
    """Where training is."""

    step: int = 0
    epoch: int = 0
    batch: int = 0  # within the epoch
    seconds: float = 0.0  # in all runs
    waited: float = 0.0  # for data, of those
    best: float = math.inf
    best_step: int = -1  # none yet
    judged: list[float] = field(default_factory=list)
    judged_step: int = -1  # the last one that was
    judged_seconds: float = 0.0  # when that was
    references: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class LoopSummary:
    """How training went."""

    steps: int
    epochs: int
    best_step: int
    best: float
    judged: list[float]
    references: dict[str, float]  # the measure of other things
    seconds: float  # in all runs
    wait_share: float
    stopped_by: str  # steps, minutes or interrupt


def check_gradient(norm: torch.Tensor, name: str) -> None:
    """Refuse to learn from a gradient that is not finite: the weights would be lost. Raises
    TrainingError.
    """
    if not torch.isfinite(norm):
        raise TrainingError(
            f"the gradient of the {name} is not a number; the last state is saved: go on with a"
            " smaller --learning-rate (--from), in --precision float32, or look for broken audio"
        )


class Loop:
    """Trains a trainee in a folder.

    An interrupted run that is resumed ends with the weights of an undisturbed one.
    """

    def __init__(
        self, trainee: Trainee, out: Path, options: LoopOptions, processes: Distributed
    ) -> None:
        self.trainee = trainee
        self.out = out
        self.options = options
        self.processes = processes
        self.at = Progress()
        self.interrupt = Interrupt()
        self.started = self.saved = self.shown = time.perf_counter()
        self.sums: dict[str, float] = {}
        self.n_summed = 0
        self.loss = math.nan  # of the last update

    def run(
        self, *, resume: bool = False, wandb: bool = False, tell: Tell | None = None
    ) -> LoopSummary:
        """Train until steps or minutes are over, or Ctrl-C, which lets the update be finished; a
        second one does not.

        Raises
        ------
        TrainingError
            If a loss is not finite.
        ParameterError, CheckpointError
            If there is nothing to resume, or it was made otherwise.
        """
        if resume:
            self._load()
        else:
            self._save()
            self.shown -= 0.9 * 60 * self.options.show_minutes  # the first pictures come early
        threads = self.options.threads or torch.get_num_threads()
        with torch_threads(threads), self._tracker(wandb=wandb, resume=resume) as tracker:
            try:
                if self.trainee.started and self.at.judged_step < 0:
                    self._validate(
                        tracker
                    )  # the weights that training starts from are to be beaten
                    self._save()
                with self.interrupt:
                    stopped_by = self._train(tracker, tell)
            except (
                KeyboardInterrupt
            ):  # asked twice, perhaps within an update: what was saved last is what is left
                stopped_by = "interrupt"
                self._load()
                if self.at.best_step < 0:
                    self._validate(tracker)
        at = self.at
        wait_share = at.waited / at.seconds if at.seconds else 0.0
        return LoopSummary(
            at.step,
            at.epoch,
            at.best_step,
            at.best,
            at.judged,
            at.references,
            at.seconds,
            wait_share,
            stopped_by,
        )

    def _train(self, tracker: Tracker | None, tell: Tell | None) -> str:
        at = self.at
        options = self.options
        if tell:
            tell(0, 1000, f"{'first' if not at.step else 'next'} update")
        while True:
            batches = self.trainee.batches(
                np.random.default_rng([options.seed, at.epoch]), at.batch
            )
            while at.step < options.steps:
                began = time.perf_counter()
                batch = next(batches, None)
                if batch is None:
                    break
                at.waited += time.perf_counter() - began
                self._step(batch)
                at.seconds += time.perf_counter() - began
                if tracker and at.step % LOG_STEPS == 0:
                    self._log(tracker)
                if self._look(tracker, tell):
                    return "interrupt" if self.interrupt.asked else "minutes"
            if at.step >= options.steps:
                if at.judged_step < at.step:
                    self._validate(tracker)
                self._save()
                return "steps"
            self.trainee.end_epoch()
            at.epoch = at.epoch + 1
            at.batch = 0

    def _step(self, batch: Any) -> None:
        at = self.at
        torch.manual_seed(
            int(
                np.random.SeedSequence(
                    [self.options.seed, at.step, self.processes.rank]
                ).generate_state(1)[0]
            )
        )
        losses = self.trainee.step(batch, at.step + 1)
        bad = [name for name, value in losses.items() if not math.isfinite(value)]
        if bad:
            raise TrainingError(
                f"step {at.step + 1}: {', '.join(bad)} is not a number; the last state is saved: go"
                " on with a smaller --learning-rate (--from), in --precision float32, or look for"
                " broken audio"
            )
        at.step = at.step + 1
        at.batch = at.batch + 1
        self.loss = sum(
            value for name, value in losses.items() if name.startswith(self.trainee.trained)
        )
        for name, value in losses.items():
            self.sums[name] = self.sums.get(name, 0.0) + value
        self.n_summed += 1

    def _log(self, tracker: Tracker) -> None:
        at = self.at
        means = {name: value / self.n_summed for name, value in self.sums.items()}
        rate = {
            "seconds": at.seconds,
            "steps_per_second": at.step / at.seconds,
            "wait_share": at.waited / at.seconds,
        }
        tracker.log({"step": at.step, "epoch": at.epoch, **means, **rate})
        self.sums = {}
        self.n_summed = 0

    def _look(self, tracker: Tracker | None, tell: Tell | None) -> bool:
        """After a step: judge, show, save and tell when it is time; whether to stop, as any of the
        processes may have to.
        """
        at = self.at
        options = self.options
        now = time.perf_counter()
        over = self.interrupt.asked or (
            options.minutes is not None and now - self.started > 60 * options.minutes
        )
        is_late = (
            options.validates_by_time()
            and at.seconds - at.judged_seconds > 60 * options.validate_minutes
        )
        due = is_late or at.step % options.validate_steps == 0
        stop, judge = (
            bool(number)
            for number in self.processes.sum(*torch.tensor([over, due], dtype=torch.float32))
        )
        if stop or judge:
            self._validate(tracker)
        if stop or judge or now - self.saved > SAVE_SECONDS:
            self._save()
        is_over = stop and not self.interrupt.asked  # whoever interrupts does not wait for pictures
        if tracker and (is_over or now - self.shown > 60 * options.show_minutes):
            self.shown = now
            tracker.show(self._show(), at.step)
        if tell:
            self._tell(tell, (now - self.started) / 60)
        return stop

    def _tell(self, tell: Tell, minutes: float) -> None:
        """Say where training is, after so many minutes of this run, and when there will be
        something to look at.
        """
        at = self.at
        options = self.options
        per_minute = 60 * at.step / at.seconds
        steps_left = options.validate_steps - at.step % options.validate_steps
        judged = steps_left / per_minute
        if options.validates_by_time():
            judged = min(judged, options.validate_minutes - (at.seconds - at.judged_seconds) / 60)
        if options.minutes:
            judged = min(judged, options.minutes - minutes)  # a stop is judged, too
        shown = options.show_minutes - (time.perf_counter() - self.shown) / 60
        parts = [
            f"{minutes:.1f} of {options.minutes:g} min" if options.minutes else "",
            f"update {at.step} ({per_minute:.3g}/min)",
            f"loss {self.loss:.3g}",
            f"best {at.best:.3f} after {at.best_step}" if at.best_step >= 0 else "",
            f"judged in {max(judged, 0):.1f} min, picture in {max(shown, 0):.1f} min",
        ]
        done = minutes / options.minutes if options.minutes else at.step / options.steps
        tell(round(1000 * min(done, 1.0)), 1000, ", ".join(filter(None, parts)))

    def _show(self) -> list[Path]:
        folder = self.out / "samples"
        try:
            return self.trainee.show(folder, self.at.step)
        except (OSError, sf.SoundFileError) as error:
            raise ParameterError(
                f"{folder}: cannot be written ({error}); make room, and go on with --resume"
            ) from error

    def _validate(self, tracker: Tracker | None) -> None:
        at = self.at
        measures = self.trainee.validate()
        if tracker:
            tracker.log(
                {
                    "step": at.step,
                    **{f"validation/{name}": value for name, value in measures.items()},
                }
            )
        value = next(iter(measures.values()))
        if not math.isfinite(value):
            raise TrainingError(
                f"step {at.step}: the held-out {next(iter(measures))} is not a number; use a"
                " smaller --learning-rate"
            )
        if not at.references:
            at.references = self.trainee.references()
        at.judged.append(value)
        at.judged_step = at.step
        at.judged_seconds = at.seconds
        if 0 < at.best_step <= self.trainee.adversarial_from < at.step:
            at.best_step = -1  # what was made before the discriminator joined does not compete
        if value < at.best or at.best_step < 0:
            at.best = value
            at.best_step = at.step
            if self.processes.is_main:
                self.trainee.save_best(self.out, {"step": at.step, "measured": measures})

    def _tracker(self, *, wandb: bool, resume: bool) -> AbstractContextManager[Tracker | None]:
        if not self.processes.is_main:
            return nullcontext()
        config = {**asdict(self.options), **self.trainee.identity}
        return Tracker(self.out, wandb=wandb, config=config, resume=resume)

    def _save(self) -> None:
        self.saved = time.perf_counter()
        if self.processes.is_main:
            save_training_state(
                self.out,
                {
                    "options": {
                        name: value
                        for name, value in asdict(self.options).items()
                        if name not in SESSION
                    },
                    "started": self.trainee.started,
                    "identity": self._identity(),
                    "files": self.trainee.files,
                    "progress": asdict(self.at),
                    "trainee": self.trainee.state(),
                },
            )

    def _load(self) -> None:
        state = load_state(self.out)
        check_same(self.out, state, self._identity(), self.trainee.files)
        try:
            self.trainee.load_state(state["trainee"])
        except (KeyError, ValueError, RuntimeError) as error:
            raise CheckpointError(
                f"{self.out / STATE}: does not fit the model ({str(error).splitlines()[0]}); go on"
                " --from the same model as at its start"
            ) from error
        self.at = Progress(**{f.name: state["progress"][f.name] for f in fields(Progress)})

    def _identity(self) -> dict[str, Any]:
        return {
            **self.options.identity(),
            **self.trainee.identity,
            "processes": self.processes.world_size,
        }
