"""The training loop of forecasters, vocoders and generators."""

import copy
import math
import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from files.errors import TrainingError
from files.progress import Progress, no_progress
from training.distributed import Distributed
from training.ema import update_ema
from training.interrupt import Interrupt
from training.lock import training_lock
from training.options import TrainingOptions
from training.prefetch import prefetched
from training.report import Report
from training.state import StateFile
from training.threads import torch_threads
from training.tracking import Tracker
from training.trainable import Trainable
from training.training_position import TrainingPosition, TrainingSummary, summarise

FIRST_SHOW = 0.1  # the first samples come after this fraction of `show_minutes`


class TrainingLoop:
    """Trains a model into a folder: `config.json`, `model.safetensors`, `training.pt`, a log.

    Interrupting and resuming a training does not change the weights it gives.
    """

    def __init__(
        self,
        trainable: Trainable,
        folder: Path,
        options: TrainingOptions,
        distributed: Distributed,
        *,
        progress: Progress = no_progress,
    ) -> None:
        self.trainable = trainable
        self.folder = folder
        self.options = options
        self.distributed = distributed
        self.progress = progress
        self.identity = {
            **options.identity(),
            **trainable.identity,
            "world_size": distributed.world_size,
        }
        self.state_file = StateFile(folder, trainable, options, self.identity)
        self.ema = copy.deepcopy(trainable.model).eval()
        self.at = TrainingPosition()
        self.report = Report(options, trainable.loss_prefix)
        self.interrupt = Interrupt()
        self.tracker: Tracker | None = None
        self.saved_time = self.shown_time = time.perf_counter()

    def run(self, *, resume: bool = False, wandb: bool = False) -> TrainingSummary:
        """Train until the options or Ctrl-C end it.

        The first Ctrl-C finishes the step and saves; a second one stops at once.

        Raises
        ------
        TrainingError
            If a loss is not finite.
        ParameterError, CheckpointError
            If there is nothing to resume, it was trained with other options or data, or another
            process trains it.
        """
        with self._locked():
            return self._run(resume=resume, wandb=wandb)

    def _locked(self) -> AbstractContextManager[None]:
        return training_lock(self.folder) if self.distributed.is_main else nullcontext()

    def _run(self, *, resume: bool, wandb: bool) -> TrainingSummary:
        if resume:
            self.at = self.state_file.load(self.ema)
        else:
            self._save()
            if self.options.show_minutes:
                self.shown_time -= (1 - FIRST_SHOW) * 60 * self.options.show_minutes
        threads = self.options.threads or torch.get_num_threads()
        tracking = self._start_tracker(resume=resume, wandb=wandb)
        with torch_threads(threads), tracking as self.tracker:
            try:
                stopped_by = self._train()
            except KeyboardInterrupt:  # the second Ctrl-C: keep the last save
                stopped_by = "interrupt"
                self.at = self.state_file.load(self.ema)
                if self.at.best_step < 0:
                    self._validate()
        return summarise(self.at, stopped_by)

    def _train(self) -> str:
        """Train epoch after epoch; return why training ended."""
        if self.trainable.starts_trained and self.at.validated_step < 0:
            self._validate()  # training must improve on the weights that it starts from
            self._save()
        self._report_progress()
        with self.interrupt:
            stopped_by = None
            while stopped_by is None:
                stopped_by = self._train_epoch() or self._end_epoch()
        return stopped_by

    def _train_epoch(self) -> str | None:
        """Train to the end of the epoch; return why training ends, or None."""
        at = self.at
        batches = prefetched(self.trainable.batches(at.epoch, at.batch))
        while at.step < self.options.steps:
            began = time.perf_counter()
            batch = next(batches, None)
            if batch is None:
                return None
            at.wait_seconds += time.perf_counter() - began
            self._step(batch)
            at.seconds += time.perf_counter() - began
            stopped_by = self._after_step()
            if stopped_by:
                return stopped_by
        self._finish()
        return "steps"

    def _end_epoch(self) -> str | None:
        """Validate, and go to the next epoch; return why training ends, or None."""
        at = self.at
        options = self.options
        if options.validate_epochs and at.validated_step < at.step:
            self._validate()
        stopped_by = None
        if options.patience and at.epoch - at.best_epoch >= options.patience:
            stopped_by = "patience"
        elif options.epochs and at.epoch + 1 >= options.epochs:
            stopped_by = "epochs"
        if stopped_by:
            self._finish()
            return stopped_by
        self.trainable.end_epoch()
        at.epoch += 1
        at.batch = 0
        if options.validate_epochs:
            self._save()
            self._report_progress()
        return None

    def _step(self, batch: Any) -> None:
        at = self.at
        numbers = [self.options.random_seed, *self.trainable.seed_numbers(at)]
        seeds = np.random.SeedSequence([*numbers, self.distributed.rank])
        torch.manual_seed(int(seeds.generate_state(1)[0]))
        losses = self.trainable.step(batch, at.step + 1)
        bad = [name for name, value in losses.items() if not math.isfinite(value)]
        if bad:
            raise TrainingError(
                f"step {at.step + 1}: {', '.join(bad)} is not a number; the last good state is"
                f" saved: start again ({self.trainable.restart_option}) with a smaller"
                " --learning-rate or in --precision float32, or look for broken audio"
            )
        at.step += 1
        at.batch += 1
        update_ema(self.ema, self.trainable.model, at.step)
        self.report.add(losses)

    def _after_step(self) -> str | None:
        """Log, validate, save and show samples when due; return why training ends, or None."""
        stop, validate = self._agree(self._is_over(), self._validation_is_due())
        if stop or validate:
            self._validate()
        elif self.tracker and self.at.step % self.options.log_steps == 0:
            self.tracker.log(self.report.log_line(self.at))
        now = time.perf_counter()
        if stop or validate or now - self.saved_time > self.options.save_seconds:
            self._save()
        asked = self.interrupt.asked
        if self._samples_are_due(stopping=stop and not asked):
            self._show()
        self._report_progress()
        if not stop:
            return None
        return "interrupt" if asked else "minutes"

    def _is_over(self) -> bool:
        minutes = self.options.minutes
        return self.interrupt.asked or (minutes is not None and self.report.run_minutes > minutes)

    def _validation_is_due(self) -> bool:
        at = self.at
        options = self.options
        n_steps = at.batch if options.validate_epochs else at.step
        if n_steps % options.validate_steps == 0 or at.step >= options.steps:
            return True
        if options.validate_minutes is None or not options.validates_by_time:
            return False
        return at.seconds - at.validated_seconds > 60 * options.validate_minutes

    def _agree(self, *wanted: bool) -> list[bool]:
        """Return for each flag whether it is set in any of the processes."""
        counts = self.distributed.sum(*torch.tensor(wanted, dtype=torch.float32))
        return [bool(count) for count in counts]

    def _finish(self) -> None:
        """Validate and save at the end of training."""
        if self.at.validated_step < self.at.step:
            self._validate()
        self._save()
        self._report_progress()

    def _validate(self) -> None:
        """Validate the EMA; save it if it is the best so far."""
        at = self.at
        measures = self.trainable.validate(self.ema)
        if self.tracker:
            validation = {f"validation/{name}": value for name, value in measures.items()}
            self.tracker.log({**self.report.log_line(at), **validation})
        name, value = next(iter(measures.items()))
        if not math.isfinite(value):
            raise TrainingError(
                f"step {at.step}: the validation {name} is not a number; use a smaller"
                " --learning-rate"
            )
        if not at.baselines:
            at.baselines = self.trainable.baselines(self.ema)
        at.validation_losses.append(value)
        at.validated_step = at.step
        at.validated_seconds = at.seconds
        if 0 < at.best_step <= self.trainable.adversarial_from < at.step:
            at.best_step = -1
        if at.best_step < 0 or value < at.best_loss:
            at.best_loss = value
            at.best_step = at.step
            at.best_epoch = at.epoch
            self._save_best(measures)

    def _save_best(self, measures: dict[str, float]) -> None:
        if self.distributed.is_main:
            at = self.at
            where = {"step": at.step, "epoch": at.epoch + 1, "measures": measures}
            self.trainable.save(self.ema, self.folder, {**where, **self.identity})

    def _save(self) -> None:
        """Save the training state."""
        self.saved_time = time.perf_counter()
        if self.distributed.is_main:
            self.state_file.save(self.ema, self.at)

    def _show_in(self) -> float | None:
        """Return the minutes to the next samples; None if there will be none."""
        if self.options.show_minutes is None or not self.distributed.is_main:
            return None
        return self.options.show_minutes - (time.perf_counter() - self.shown_time) / 60

    def _samples_are_due(self, *, stopping: bool) -> bool:
        minutes = self._show_in()
        return minutes is not None and (stopping or minutes < 0)

    def _show(self) -> None:
        """Write samples, and pass them to the tracker."""
        self.shown_time = time.perf_counter()
        paths = self.trainable.show(self.ema, self.folder / "samples", self.at.step)
        if self.tracker:
            self.tracker.show(paths, self.at.step)

    def _report_progress(self) -> None:
        if self.progress is not no_progress:
            self.progress(*self.report.progress(self.at, show_in=self._show_in()))

    def _start_tracker(
        self, *, resume: bool, wandb: bool
    ) -> AbstractContextManager[Tracker | None]:
        if not self.distributed.is_main:
            return nullcontext()
        config = {**asdict(self.options), **self.identity}
        return Tracker(self.folder, wandb=wandb, config=config, resume=resume)
