"""Train a forecaster on the sequences of a database: likelihood up, judged on sources it has not seen."""

import copy
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from db.descriptors.derived import static_columns
from db.errors import DemiurgeError, ParameterError
from db.normaliser import Normaliser
from db.settings import DescriptorSettings
from sequencer.forecaster import Forecaster, ForecasterConfig
from sequencer.split import Named, Split, split_sequences
from sequencer.windows import Batch, batches
from training.threads import torch_threads
from training.tracking import Tracker

GRADIENT_CLIP = 1.0
CONTEXT_WINDOWS = 4  # a training excerpt is this many windows long: loops and one-shots differ only over seconds


class TrainingError(DemiurgeError):
    """Training went wrong."""


@dataclass(frozen=True)
class TrainingOptions:
    """How to train. The defaults suit ten minutes to a few hours of audio on a laptop."""

    model: str = "lstm"
    epochs: int = 60  # at most: training stops when the held-out likelihood does
    patience: int = 6  # epochs without improvement
    window: int = 64  # steps, 1.5 s: the shortest seed
    batch_size: int = 16
    learning_rate: float = 2e-3
    seed: int = 0
    device: str = "cpu"
    threads: int = 1  # at these sizes two gain a third, and only on an idle machine

    def __post_init__(self) -> None:
        for name in ("epochs", "patience", "window", "batch_size", "threads"):
            if getattr(self, name) < 1:
                raise ParameterError(f"{name}={getattr(self, name)} must be at least 1")
        if not (math.isfinite(self.learning_rate) and self.learning_rate > 0):
            raise ParameterError(f"learning_rate={self.learning_rate} must be a positive number")


@dataclass(frozen=True)
class TrainingSummary:
    """How training went. Errors are mean squared, of one z-scored step ahead, on held-out steps; likelihoods in nats."""

    model: str
    epochs: int
    best_epoch: int
    seconds: float
    split_by: str
    train_sources: int
    train_steps: int
    held_out_sources: int
    held_out_steps: int
    held_out_nll: float
    error: float
    error_persistence: float  # nothing changes
    error_mean: float  # always the average
    interrupted: bool


def train_forecaster(
    sequences: Named,
    out: str | Path,
    *,
    settings: DescriptorSettings,
    normaliser: Normaliser,
    options: TrainingOptions,
    wandb: bool = False,
    progress: Callable[[int, int, str], None] | None = None,
) -> TrainingSummary:
    """Train and leave the best checkpoint, by held-out likelihood, in the folder `out`.

    Parameters
    ----------
    sequences : list of (name, ndarray (steps, n_descriptors) raw)
    progress : callable (epochs done, epochs at most, what)

    Raises
    ------
    ParameterError
        If there is too little to train on, or an option is out of range.
    TrainingError
        If the loss is not a number; the best checkpoint so far stays.
    """
    started = time.perf_counter()
    split = split_sequences(sequences, seed=options.seed)
    device = _device(options.device)
    torch.manual_seed(options.seed)
    model = Forecaster(ForecasterConfig(options.model, settings, options.window))
    train, held_out = (_static(part, settings, normaliser) for part in (split.train, split.held_out))
    everything = torch.cat(train)
    model.set_statistics(normaliser, low=everything.amin(0), high=everything.amax(0))
    model.to(device)
    optimiser = torch.optim.AdamW(model.parameters(), lr=options.learning_rate)
    rng = np.random.default_rng(options.seed)
    best, best_epoch, epoch, interrupted = math.inf, 0, 0, False
    weights: dict[str, Tensor] = {}
    with torch_threads(options.threads), Tracker(out, wandb=wandb, config=asdict(options)) as tracker:
        try:
            for epoch in range(1, options.epochs + 1):
                loss = _train_epoch(model, train, options, optimiser, rng)
                nll = held_out_nll(model, held_out, options)
                tracker.log({"epoch": epoch, "train/nll": loss, "held_out/nll": nll, "seconds": time.perf_counter() - started})
                if nll < best:
                    best, best_epoch, weights = nll, epoch, copy.deepcopy(model.state_dict())
                    model.config = replace(model.config, training={"epoch": epoch, "held_out_nll": nll, **asdict(options)})
                    model.save(out)
                if progress:
                    progress(epoch, options.epochs, f"held-out {nll:.2f} nats (best {best:.2f})")
                if epoch - best_epoch >= options.patience:
                    break
        except KeyboardInterrupt:
            if not weights:
                raise
            interrupted = True
    model.load_state_dict(weights)
    with torch_threads(options.threads):
        error, persistence, mean = one_step_errors(model, held_out, options)
    summary = TrainingSummary(
        options.model, epoch, best_epoch, time.perf_counter() - started, split.by, len(split.train), _steps(split.train),
        len(split.held_out), _steps(split.held_out), best, error, persistence, mean, interrupted,
    )  # fmt: skip
    without_clock = {name: value for name, value in asdict(summary).items() if name != "seconds"}  # same seed, same bytes
    model.config = replace(model.config, training={**asdict(options), **without_clock, "sources": _names(split)})
    model.save(out)
    return summary


def _train_epoch(
    model: Forecaster,
    sequences: list[Tensor],
    options: TrainingOptions,
    optimiser: torch.optim.Optimizer,
    rng: np.random.Generator,
) -> float:
    """One pass over the training sequences; mean negative log-likelihood per step."""
    model.train()
    total, count = 0.0, 0.0
    for batch in batches(sequences, window=CONTEXT_WINDOWS * options.window, batch_size=options.batch_size, rng=rng):
        nll, n_steps = _nll(model, batch)
        loss = nll / n_steps
        if not torch.isfinite(loss):
            raise TrainingError("the loss is not a number; train with a smaller --learning-rate, or look for broken audio")
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), GRADIENT_CLIP)
        optimiser.step()
        total, count = total + float(nll.detach()), count + float(n_steps)
    return total / count


@torch.no_grad()
def held_out_nll(model: Forecaster, sequences: list[Tensor], options: TrainingOptions) -> float:
    """Mean negative log-likelihood per step, in nats."""
    model.eval()
    parts = [_nll(model, b) for b in batches(sequences, window=CONTEXT_WINDOWS * options.window, batch_size=options.batch_size)]
    return float(sum(nll for nll, _ in parts) / sum(n for _, n in parts))


@torch.no_grad()
def one_step_errors(model: Forecaster, sequences: list[Tensor], options: TrainingOptions) -> tuple[float, float, float]:
    """Mean squared error one step ahead of the model, of persistence (nothing changes) and of the mean (always zero)."""
    model.eval()
    device, sums, count = model.mean.device, np.zeros(3), 0.0
    for batch in batches(sequences, window=CONTEXT_WINDOWS * options.window, batch_size=options.batch_size):
        inputs, targets, mask = (t.to(device) for t in (batch.inputs, batch.targets, batch.mask))
        expected = model.head.expectation(model(inputs)[0], inputs)
        for i, error in enumerate((targets - expected, targets - inputs, targets)):
            sums[i] += float((error.square().mean(-1) * mask).sum())
        count += float(mask.sum())
    error, persistence, mean = sums / count
    return float(error), float(persistence), float(mean)


def _nll(model: Forecaster, batch: Batch) -> tuple[Tensor, Tensor]:
    device = model.mean.device
    inputs, targets, mask = (t.to(device) for t in (batch.inputs, batch.targets, batch.mask))
    hidden, _ = model(inputs)
    return -(model.head.log_likelihood(hidden, inputs, targets) * mask).sum(), mask.sum()


def _static(part: Named, settings: DescriptorSettings, normaliser: Normaliser) -> list[Tensor]:
    """z-scored independent columns of each sequence."""
    columns = static_columns(settings)
    return [torch.from_numpy(normaliser.apply(rows)[:, columns]) for _, rows in part]


def _device(name: str) -> torch.device:
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ParameterError(f"device={name!r} cannot be used here ({str(error).splitlines()[0]}); use --device cpu") from error
    return device


def _steps(part: Named) -> int:
    return sum(len(rows) for _, rows in part)


def _names(split: Split) -> dict[str, Any]:
    return {"train": [name for name, _ in split.train], "held_out": [name for name, _ in split.held_out]}
