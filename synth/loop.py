"""The training loop of vocoders and generators: batches in, checkpoints, log, pictures and sounds out."""

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

from db.errors import CheckpointError, ParameterError
from synth.mel import PRESETS, MelSettings
from synth.recordings import Tell
from training.checkpoint import STATE, load_training_state, save_training_state
from training.errors import TrainingError
from training.interrupt import Interrupt
from training.precision import check_precision
from training.processes import Processes
from training.threads import torch_threads
from training.tracking import Tracker

SAVE_SECONDS = 120.0  # between two saves of the training state
LOG_STEPS = 50


@dataclass(frozen=True)
class LoopOptions:
    """How long to train, and how often to look at it."""

    steps: int = 1_000_000  # updates, at most
    minutes: float | None = None  # at most, of this run
    judge_steps: int = 1000  # between two looks at the held-out recordings
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
        for name in ("steps", "judge_steps", "batch_size", "threads"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ParameterError(f"{name}={value} must be at least 1")
        for name in ("minutes", "learning_rate", "show_minutes"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value > 0):
                raise ParameterError(f"{name}={value} must be a positive number")
        if self.mel not in PRESETS:
            raise ParameterError(f"mel={self.mel!r} is not known; choose one of {', '.join(PRESETS)}")
        check_precision(self.precision)

    def mel_settings(self) -> MelSettings:
        preset = PRESETS[self.mel]
        return replace(preset, n_mels=preset.n_mels if self.n_mels is None else self.n_mels)

    def identity(self) -> dict[str, Any]:
        """What decides the weights: not how long to train, where, or in how many sessions."""
        kept = ("judge_steps", "batch_size", "learning_rate", "precision", "seed")
        return {name: getattr(self, name) for name in kept}


class Trainee(Protocol):
    """What is trained. `judge` returns held-out measures; the first decides which weights are the best."""

    identity: dict[str, Any]  # of the data and the recipe
    adversarial_from: int  # updates before an adversary joins
    started: bool  # from trained weights

    def batches(self, rng: np.random.Generator, skip: int) -> Iterator[Any]: ...
    def step(self, batch: Any, n_updates: int) -> dict[str, float]: ...
    def judge(self) -> dict[str, float]: ...
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


@dataclass(frozen=True)
class LoopSummary:
    """How training went."""

    steps: int
    epochs: int
    best_step: int
    best: float
    judged: list[float]
    seconds: float
    wait_share: float
    stopped_by: str  # steps, minutes or interrupt


def check_gradient(norm: torch.Tensor, name: str) -> None:
    """Refuse to learn from a gradient that is not finite: the weights would be lost. Raises TrainingError."""
    if not torch.isfinite(norm):
        raise TrainingError(
            f"the gradient of the {name} is not a number; the last state is saved: go on with a smaller --learning-rate "
            "(--from), in --precision float32, or look for broken audio"
        )


class Loop:
    """Trains a trainee in a folder. An interrupted run that is resumed ends with the weights of an undisturbed one."""

    def __init__(self, trainee: Trainee, out: Path, options: LoopOptions, processes: Processes) -> None:
        self.trainee, self.out, self.options, self.processes = trainee, out, options, processes
        self.at, self.interrupt = Progress(), Interrupt()
        self.started = self.saved = self.shown = time.perf_counter()
        self.sums: dict[str, float] = {}
        self.n_summed = 0

    def run(self, *, resume: bool = False, wandb: bool = False, tell: Tell | None = None) -> LoopSummary:
        """Train until steps or minutes are over, or Ctrl-C, which lets the update be finished; a second one does not.

        Raises
        ------
        TrainingError
            If a loss is not finite.
        ParameterError, CheckpointError
            If there is nothing to resume, or it was made otherwise.
        """
        if resume:
            self._load()
        elif self.processes.first:
            self._save()
        threads = self.options.threads or torch.get_num_threads()
        with torch_threads(threads), self._tracker(wandb=wandb, resume=resume) as tracker:
            try:
                if self.trainee.started and not self.at.step:
                    self._judge(tracker)  # the weights that training starts from are to be beaten
                with self.interrupt:
                    stopped_by = self._train(tracker, tell)
                if self.at.best_step < 0:
                    self._judge(tracker)
            except KeyboardInterrupt:  # asked twice, perhaps within an update: the last save is what can be gone on from
                stopped_by = "interrupt"
                if self.at.best_step < 0:
                    self._judge(tracker)
        at = self.at
        wait_share = at.waited / at.seconds if at.seconds else 0.0
        return LoopSummary(at.step, at.epoch, at.best_step, at.best, at.judged, at.seconds, wait_share, stopped_by)

    def _train(self, tracker: Tracker | None, tell: Tell | None) -> str:
        at, options = self.at, self.options
        while True:
            batches = self.trainee.batches(np.random.default_rng([options.seed, at.epoch]), at.batch)
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
                if at.step % options.judge_steps:
                    self._judge(tracker)
                self._save()
                return "steps"
            self.trainee.end_epoch()
            at.epoch, at.batch = at.epoch + 1, 0

    def _step(self, batch: Any) -> None:
        at = self.at
        torch.manual_seed(int(np.random.SeedSequence([self.options.seed, at.step, self.processes.rank]).generate_state(1)[0]))
        losses = self.trainee.step(batch, at.step + 1)
        bad = [name for name, value in losses.items() if not math.isfinite(value)]
        if bad:
            raise TrainingError(
                f"step {at.step + 1}: {', '.join(bad)} is not a number; the last state is saved: go on with a smaller "
                "--learning-rate (--from), in --precision float32, or look for broken audio"
            )
        at.step, at.batch = at.step + 1, at.batch + 1
        for name, value in losses.items():
            self.sums[name] = self.sums.get(name, 0.0) + value
        self.n_summed += 1

    def _log(self, tracker: Tracker) -> None:
        at = self.at
        means = {name: value / self.n_summed for name, value in self.sums.items()}
        rate = {"seconds": at.seconds, "steps_per_second": at.step / at.seconds, "wait_share": at.waited / at.seconds}
        tracker.log({"step": at.step, "epoch": at.epoch, **means, **rate})
        self.sums, self.n_summed = {}, 0

    def _look(self, tracker: Tracker | None, tell: Tell | None) -> bool:
        """After a step: judge, show, save and tell when it is time; whether to stop, as any of the processes may have to."""
        at, options, now = self.at, self.options, time.perf_counter()
        if at.step % options.judge_steps == 0:
            self._judge(tracker)
        if tracker and now - self.shown > 60 * options.show_minutes:
            self.shown = now
            tracker.show(self._show(), at.step)
        stop = self.interrupt.asked or (options.minutes is not None and now - self.started > 60 * options.minutes)
        stop = bool(self.processes.sum(torch.tensor(float(stop)))[0])
        if stop or now - self.saved > SAVE_SECONDS:
            self._save()
        if tell:
            done = (now - self.started) / (60 * options.minutes) if options.minutes else at.step / options.steps
            best = f", best {at.best:.3f} at {at.best_step}" if at.best_step >= 0 else ""
            tell(round(1000 * min(done, 1.0)), 1000, f"step {at.step}, {at.step / at.seconds:.1f}/s{best}")
        return stop

    def _show(self) -> list[Path]:
        folder = self.out / "samples"
        try:
            return self.trainee.show(folder, self.at.step)
        except (OSError, sf.SoundFileError) as error:
            raise ParameterError(f"{folder}: cannot be written ({error}); make room, and go on with --resume") from error

    def _judge(self, tracker: Tracker | None) -> None:
        at, measures = self.at, self.trainee.judge()
        if tracker:
            tracker.log({"step": at.step, **{f"held_out/{name}": value for name, value in measures.items()}})
        value = next(iter(measures.values()))
        if not math.isfinite(value):
            raise TrainingError(
                f"step {at.step}: the held-out {next(iter(measures))} is not a number; use a smaller --learning-rate"
            )
        at.judged.append(value)
        if 0 < at.best_step <= self.trainee.adversarial_from < at.step:
            at.best_step = -1  # what was made before the adversary joined does not compete
        if value < at.best or at.best_step < 0:
            at.best, at.best_step = value, at.step
            if self.processes.first:
                self.trainee.save_best(self.out, {"step": at.step, "measured": measures})

    def _tracker(self, *, wandb: bool, resume: bool) -> AbstractContextManager[Tracker | None]:
        if not self.processes.first:
            return nullcontext()
        config = {**asdict(self.options), **self.trainee.identity}
        return Tracker(self.out, wandb=wandb, config=config, resume=resume)

    def _save(self) -> None:
        self.saved = time.perf_counter()
        if self.processes.first:
            save_training_state(self.out, {
                "identity": self._identity(), "progress": asdict(self.at), "trainee": self.trainee.state(),
            })  # fmt: skip

    def _load(self) -> None:
        state = load_training_state(self.out)
        if not isinstance(state, dict) or set(state) != {"identity", "progress", "trainee"}:
            raise CheckpointError(
                f"{self.out / STATE}: of another kind of model; choose another folder, or --force a new start"
            )
        for name, value in self._identity().items():
            if (before := state["identity"].get(name)) != value:
                raise ParameterError(
                    f"{self.out}: was trained with {name} {before}, not {value}; resume with the same, or --force a new start"
                )
        try:
            self.trainee.load_state(state["trainee"])
        except (KeyError, ValueError, RuntimeError) as error:
            raise CheckpointError(
                f"{self.out / STATE}: does not fit the model ({str(error).splitlines()[0]}); go on --from the same model as at "
                "its start, or --force a new start"
            ) from error
        self.at = Progress(**{f.name: state["progress"][f.name] for f in fields(Progress)})

    def _identity(self) -> dict[str, Any]:
        return {**self.options.identity(), **self.trainee.identity, "processes": self.processes.number}
