"""Rollouts with a cache against re-running the history, and batches of windows against one data set
item at a time.
"""

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from db.settings import DescriptorSettings
from demiurge.bench import Result, medians
from sequencer.averages import SPANS
from sequencer.forecaster import Forecaster, ForecasterConfig
from sequencer.loss import batch_loss
from sequencer.train import ForecasterOptions
from sequencer.windows import Batch, Windows
from training.threads import torch_threads

ROLLOUT_STEPS = 256
ROLLOUT_STEPS_FULL = 4096
MEASURED_EVERY = 16  # steps
HOURS = 1.0  # of frames that windows are cut from
SOURCES = 20
# the original's
WINDOW = 10
BATCH_SIZE = 64
BATCHES = 100  # trained on each time
TRANSITIONS = 12_900  # of an epoch: five minutes of frames


def bench_sequencer(audio: Path, repeats: int, full: bool) -> list[Result]:
    with torch_threads(1):
        rollout = _rollout(ROLLOUT_STEPS_FULL if full else ROLLOUT_STEPS, 1 if full else repeats)
        return [rollout, _training(repeats), _epoch(repeats)]


@torch.no_grad()
def _rollout(steps: int, repeats: int) -> Result:
    torch.manual_seed(0)
    model = Forecaster(ForecasterConfig("transformer-encoder", DescriptorSettings())).eval()
    architecture = model.architecture
    x = torch.randn(1, steps, 13 * (1 + len(SPANS)))
    outputs: dict[str, torch.Tensor] = {}

    def cached() -> None:
        state = None
        hidden = []
        for i in range(steps):
            latest, state = architecture(x[:, i : i + 1], state)
            hidden.append(latest[:, -1])
        outputs["cached"] = torch.stack(hidden, dim=1)

    measured = range(
        MEASURED_EVERY // 2, steps, MEASURED_EVERY
    )  # the cost grows evenly: these steps stand for all

    def whole_history() -> None:
        outputs["whole"] = torch.stack([architecture(x[:, : i + 1])[0][:, -1] for i in measured], dim=1)

    seconds, baseline = medians(cached, whole_history, repeats)
    difference = float((outputs["cached"][:, measured] - outputs["whole"]).abs().max())
    return Result(
        "sequencer rollout",
        f"{steps} steps of transformer-encoder",
        f"re-running the whole history at each step (every {MEASURED_EVERY}th measured)",
        seconds,
        baseline * steps / len(measured),
        0,
        repeats,
        {"largest_difference": difference},
    )


class _OneAtATime(Dataset):
    """The original's way: an item is a random window of a random file, cut in Python."""

    def __init__(self, sequences: list[np.ndarray], n_items: int) -> None:
        self._sequences = sequences
        self._n_items = n_items

    def __len__(self) -> int:
        return self._n_items

    def __getitem__(self, _: int) -> torch.Tensor:
        sequence = random.choice(self._sequences)
        start = random.randrange(len(sequence) - WINDOW)
        return torch.tensor(sequence[start : start + WINDOW + 1].tolist())


def _training(repeats: int) -> Result:
    """Training windows per second, with the same model and batch; and of the data paths alone."""
    rng = np.random.default_rng(0)
    step = _updates_of_an_lstm()
    sequences = [
        rng.normal(size=(int(HOURS * 3600 * 43 / SOURCES), 13)).astype(np.float32)
        for _ in range(SOURCES)
    ]
    windows = Windows(
        [torch.from_numpy(s) for s in sequences], window=WINDOW, batch_size=BATCH_SIZE
    )
    items = DataLoader(_OneAtATime(sequences, BATCHES * BATCH_SIZE), batch_size=BATCH_SIZE)
    averages = torch.zeros(BATCH_SIZE, WINDOW, 13 * len(SPANS))
    mask = torch.ones(BATCH_SIZE, WINDOW)

    def ours(train: bool = True) -> None:
        for _, batch in zip(range(BATCHES), windows.epoch(np.random.default_rng(0)), strict=False):
            if train:
                step(batch)

    def theirs(train: bool = True) -> None:
        for sequence in items:
            if train:
                step(Batch(sequence, averages, mask, 0))

    seconds, baseline = medians(ours, theirs, repeats)
    data, data_baseline = medians(lambda: ours(train=False), lambda: theirs(train=False), repeats)
    n_windows = BATCHES * BATCH_SIZE
    return Result(
        "sequencer training",
        f"{n_windows} windows of {WINDOW} steps, LSTM of 100, batches of {BATCH_SIZE}",
        "one random window at a time, cut in Python",
        seconds,
        baseline,
        0,
        repeats,
        {
            "windows per second": n_windows / seconds,
            "baseline, windows per second": n_windows / baseline,
            "data path alone, ratio": data_baseline / data,
        },
    )


def _epoch(repeats: int) -> Result:
    """To learn once from every transition: from all of a window's, and from the last of each of the
    windows of ten steps.
    """
    generator = torch.Generator().manual_seed(0)
    options = ForecasterOptions()
    step = _updates_of_an_lstm()
    sequence = torch.randn(TRANSITIONS + WINDOW, 13, generator=generator)
    windows = Windows([sequence], window=options.window, batch_size=options.batch_size)
    every_window = sequence.unfold(0, WINDOW + 1, 1).transpose(1, 2)  # (windows, steps, n), a view
    averages = torch.zeros(BATCH_SIZE, WINDOW, 13 * len(SPANS))
    last = torch.zeros(BATCH_SIZE, WINDOW)
    last[:, -1] = 1

    def ours() -> None:
        for batch in windows.epoch(np.random.default_rng(0)):
            step(batch)

    def theirs() -> None:
        for rows in torch.randperm(TRANSITIONS, generator=generator).split(BATCH_SIZE):
            step(Batch(every_window[rows], averages[: len(rows)], last[: len(rows)], 0))

    seconds, baseline = medians(ours, theirs, repeats)
    return Result(
        "sequencer epoch",
        f"{TRANSITIONS} transitions, each learned from once; LSTM of 100",
        f"one window of {WINDOW} steps for each, {BATCH_SIZE} a batch",
        seconds,
        baseline,
        0,
        repeats,
        {
            "transitions per second": TRANSITIONS / seconds,
            "baseline, transitions per second": TRANSITIONS / baseline,
        },
    )


def _updates_of_an_lstm() -> Callable[[Batch], None]:
    """What trains the original's LSTM on a batch."""
    sizes = {"hidden_size": 100, "n_layers": 3, "dropout": 0.0}
    model = Forecaster(ForecasterConfig("lstm", DescriptorSettings(), "point", sizes))
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-4)

    def step(batch: Batch) -> None:
        loss, n = batch_loss(model, batch)
        optimiser.zero_grad()
        (loss / n).backward()
        optimiser.step()

    return step
