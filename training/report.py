"""Lines for the training log and the progress bar."""

import time

from training.options import TrainingOptions
from training.sparkline import sparkline
from training.training_position import TrainingPosition

PARTS = 1000  # units of the progress bar


class Report:
    """Mean losses for the log, and a line for the progress bar."""

    def __init__(self, options: TrainingOptions, loss_prefix: str) -> None:
        self._options = options
        self._loss_prefix = loss_prefix
        self._started = time.perf_counter()
        self._sums: dict[str, float] = {}
        self._n_steps = 0
        self._loss: float | None = None  # of the latest step

    @property
    def run_minutes(self) -> float:
        """Minutes since this run began."""
        return (time.perf_counter() - self._started) / 60

    def add(self, losses: dict[str, float]) -> None:
        """Add the losses of a step."""
        for name, value in losses.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
        self._n_steps += 1
        mine = [value for name, value in losses.items() if name.startswith(self._loss_prefix)]
        self._loss = sum(mine)

    def log_line(self, at: TrainingPosition) -> dict[str, float]:
        """Return a line of the log: position, and mean losses since the last line."""
        means = {f"train/{name}": total / self._n_steps for name, total in self._sums.items()}
        self._sums = {}
        self._n_steps = 0
        return {
            "step": at.step,
            "epoch": at.epoch + 1,
            **means,
            "seconds": at.seconds,
            "steps_per_second": at.steps_per_second,
            "wait_share": at.wait_share,
        }

    def progress(self, at: TrainingPosition, *, show_in: float | None) -> tuple[int, int, str]:
        """Return parts done, parts in all, and a line for the progress bar.

        `show_in` is the number of minutes to the next samples.
        """
        options = self._options
        shares = [at.step / options.steps]
        if options.epochs:
            shares.append(at.epoch / options.epochs)
        if options.minutes:
            shares.append(self.run_minutes / options.minutes)
        parts = [*self._where(at), *self._losses(at)]
        validate_in = self._minutes_to_validation(at)
        if validate_in is not None:
            parts.append(f"validation in {max(validate_in, 0):.1f} min")
        if show_in is not None:
            parts.append(f"samples in {max(show_in, 0):.1f} min")
        return round(PARTS * min(max(shares), 1.0)), PARTS, ", ".join(parts)

    def _where(self, at: TrainingPosition) -> list[str]:
        options = self._options
        parts = []
        if options.minutes:
            parts.append(f"{self.run_minutes:.1f} of {options.minutes:g} min")
        if options.epochs:
            parts.append(f"epoch {at.epoch + 1} of {options.epochs}")
        if not at.step:
            return [*parts, "first step"]
        return [*parts, f"step {at.step} ({60 * at.steps_per_second:.3g}/min)"]

    def _losses(self, at: TrainingPosition) -> list[str]:
        parts = []
        if self._loss is not None:
            parts.append(f"loss {self._loss:.3g}")
        if at.validation_losses:
            line = sparkline(at.validation_losses)
            parts.append(f"validation {line} {at.validation_losses[-1]:.3f}")
            parts.append(f"best {at.best_loss:.3f} after step {at.best_step}")
        return parts

    def _minutes_to_validation(self, at: TrainingPosition) -> float | None:
        """Estimate the minutes; None if epochs decide, or before the first step."""
        options = self._options
        if options.validate_epochs or not at.step:
            return None
        steps_left = options.validate_steps - at.step % options.validate_steps
        minutes = [steps_left * at.seconds / at.step / 60]
        if options.validates_by_time and options.validate_minutes:
            since = (at.seconds - at.validated_seconds) / 60
            minutes.append(options.validate_minutes - since)
        if options.minutes:  # training is validated when it ends
            minutes.append(options.minutes - self.run_minutes)
        return min(minutes)
