"""Rollouts, against re-running the history; training, against a dataset of single items."""

import random
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from db.settings import DescriptorSettings
from demiurge.bench import Result, medians
from sequencer.averages import SPANS
from sequencer.forecaster import Forecaster, ForecasterConfig
from sequencer.loss import batch_loss
from sequencer.train import ForecasterOptions
from sequencer.windows import Batch, Windows
from training.threads import torch_threads

N_COLUMNS = 13  # of MFCC
ROLLOUT_STEPS = 256
ROLLOUT_STEPS_FULL = 4096
MEASURED_EVERY = 16  # steps; enough, since the cost of a step grows evenly
SOURCE_STEPS = 180 * 43  # three minutes of frames
SOURCES = 20  # an hour together
WINDOW = 10  # steps, as the original
BATCH_SIZE = 64
BATCHES = 100  # per run
TRANSITIONS = 12_900  # per epoch, five minutes of frames


def bench_sequencer(audio: Path, repeats: int, full: bool) -> list[Result]:
    """Measure forecasters on random numbers, on one thread."""
    with torch_threads(1):
        steps = ROLLOUT_STEPS_FULL if full else ROLLOUT_STEPS
        rollout = bench_rollout(steps, 1 if full else repeats)
        return [rollout, bench_training(repeats), bench_epoch(repeats)]


@torch.no_grad()
def bench_rollout(steps: int, repeats: int) -> Result:
    """Step through a transformer with its cache."""
    torch.manual_seed(0)
    model = Forecaster(ForecasterConfig("transformer-encoder", DescriptorSettings())).eval()
    architecture = model.architecture
    x = torch.randn(1, steps, N_COLUMNS * (1 + len(SPANS)))
    measured = range(MEASURED_EVERY // 2, steps, MEASURED_EVERY)
    outputs: dict[str, Tensor] = {}

    def cached() -> None:
        state = None
        hidden = []
        for i in range(steps):
            latest, state = architecture(x[:, i : i + 1], state)
            hidden.append(latest[:, -1])
        outputs["cached"] = torch.stack(hidden, dim=1)

    def whole_history() -> None:
        hidden = [architecture(x[:, : i + 1])[0][:, -1] for i in measured]
        outputs["whole"] = torch.stack(hidden, dim=1)

    seconds, baseline_seconds = medians(cached, whole_history, repeats)
    differences = outputs["cached"][:, measured] - outputs["whole"]
    return Result(
        "sequencer rollout",
        f"{steps} steps of transformer-encoder",
        f"re-running the whole history at each step (every {MEASURED_EVERY}th measured)",
        seconds,
        baseline_seconds * steps / len(measured),
        repeats=repeats,
        facts={"largest_difference": float(differences.abs().max())},
    )


class RandomWindows(Dataset):
    """The original's dataset: an item is a random window of a random source, cut in Python."""

    def __init__(self, sequences: list[np.ndarray], n_items: int) -> None:
        self.sequences = sequences
        self.n_items = n_items

    def __len__(self) -> int:
        return self.n_items

    def __getitem__(self, _: int) -> Tensor:
        sequence = random.choice(self.sequences)
        start = random.randrange(len(sequence) - WINDOW)
        return torch.tensor(sequence[start : start + WINDOW + 1].tolist())


def bench_training(repeats: int) -> Result:
    """Train the same model on batches of the same size, and read the batches alone."""
    train = make_training_step()
    sequences = random_sequences()
    tensors = [torch.from_numpy(sequence) for sequence in sequences]
    windows = Windows(tensors, window=WINDOW, batch_size=BATCH_SIZE)
    items = DataLoader(RandomWindows(sequences, BATCHES * BATCH_SIZE), batch_size=BATCH_SIZE)

    def ours(step: Callable[[Batch], None]) -> None:
        for batch in islice(windows.epoch(np.random.default_rng(0)), BATCHES):
            step(batch)

    def theirs(step: Callable[[Batch], None]) -> None:
        for windows_of_batch in items:
            step(whole_windows(windows_of_batch))

    def read(batch: Batch) -> None:
        pass

    times = medians(lambda: ours(train), lambda: theirs(train), repeats)
    reading = medians(lambda: ours(read), lambda: theirs(read), repeats)
    n_windows = BATCHES * BATCH_SIZE
    facts = {
        "windows per second": n_windows / times[0],
        "baseline, windows per second": n_windows / times[1],
        "data path alone, ratio": reading[1] / reading[0],
    }
    what = f"{n_windows} windows of {WINDOW} steps, LSTM of 100, batches of {BATCH_SIZE}"
    baseline = "one random window at a time, cut in Python"
    return Result("sequencer training", what, baseline, *times, repeats=repeats, facts=facts)


def random_sequences() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    shape = (SOURCE_STEPS, N_COLUMNS)
    return [rng.normal(size=shape).astype(np.float32) for _ in range(SOURCES)]


def whole_windows(sequence: Tensor) -> Batch:
    """Return windows (batch, WINDOW + 1, N_COLUMNS) as a batch that learns from every step."""
    n = len(sequence)
    averages = torch.zeros(n, WINDOW, N_COLUMNS * len(SPANS))
    return Batch(sequence, averages, torch.ones(n, WINDOW), 0)


def bench_epoch(repeats: int) -> Result:
    """Train once on every transition.

    Demiurge uses all transitions of a window, the baseline a window of ten steps for each one.
    """
    generator = torch.Generator().manual_seed(0)
    options = ForecasterOptions()
    train = make_training_step()
    sequence = torch.randn(TRANSITIONS + WINDOW, N_COLUMNS, generator=generator)
    windows = Windows([sequence], window=options.window, batch_size=options.batch_size)
    every_window = sequence.unfold(0, WINDOW + 1, 1).transpose(1, 2)  # (windows, steps, n), a view

    def ours() -> None:
        for batch in windows.epoch(np.random.default_rng(0)):
            train(batch)

    def theirs() -> None:
        for rows in torch.randperm(TRANSITIONS, generator=generator).split(BATCH_SIZE):
            batch = whole_windows(every_window[rows])
            batch.mask[:, :-1] = 0  # only the last step of each
            train(batch)

    times = medians(ours, theirs, repeats)
    facts = {
        "transitions per second": TRANSITIONS / times[0],
        "baseline, transitions per second": TRANSITIONS / times[1],
    }
    what = f"{TRANSITIONS} transitions, each learned from once; LSTM of 100"
    baseline = f"one window of {WINDOW} steps for each, {BATCH_SIZE} a batch"
    return Result("sequencer epoch", what, baseline, *times, repeats=repeats, facts=facts)


def make_training_step() -> Callable[[Batch], None]:
    """Return a function that trains the original's LSTM on a batch."""
    sizes = {"hidden_size": 100, "n_layers": 3, "dropout": 0.0}
    model = Forecaster(ForecasterConfig("lstm", DescriptorSettings(), "point", sizes))
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-4)

    def train(batch: Batch) -> None:
        loss, n_steps = batch_loss(model, batch)
        optimiser.zero_grad()
        (loss / n_steps).backward()
        optimiser.step()

    return train
