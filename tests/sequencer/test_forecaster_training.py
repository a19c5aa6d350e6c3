"""Training forecasters; what the training loop does for all models is in tests/training."""

import errno
import json
import math
import os
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch

from db.descriptors.mfcc import add_deltas
from db.normaliser import fit_normaliser
from files.errors import CheckpointError, DatabaseError, ParameterError, TrainingError
from sequencer.forecaster import Forecaster
from sequencer.loss import batch_loss
from sequencer.registry import ARCHITECTURES
from sequencer.train import ForecasterOptions, ForecasterTraining, train_forecaster
from sequencer.warm_up import WARM_UP_STEPS, warm_up
from tests.sequencer.toys import (
    FORECASTING,
    NORMALISER,
    SETTINGS,
    SONGS,
    TOY,
    WINDOW,
    roll,
    song,
    train,
)
from training.checkpoint import load_training_state
from training.distributed import Distributed

MODEL_FILES = ("model.safetensors", "config.json")


def log(folder):
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def same_model(first, second):
    """Whether two folders hold the same model and the same facts about it."""
    return all((first / file).read_bytes() == (second / file).read_bytes() for file in MODEL_FILES)


def training(**options):
    """What the loop trains, untrained."""
    options = ForecasterOptions(**{"window": WINDOW, **options})
    return ForecasterTraining(SONGS, SETTINGS, NORMALISER, options, Distributed())


def test_training_learns(trained):
    folder, summary = trained
    assert summary.validation_loss < log(folder)[0]["validation/loss"] - 2
    assert (summary.train_sources, summary.validation_sources, summary.split_by) == (5, 1, "source")


def test_log_has_a_line_per_epoch(trained):
    folder, summary = trained
    lines = log(folder)
    assert [line["epoch"] for line in lines] == list(range(1, summary.epochs + 1))
    assert min(line["validation/loss"] for line in lines) == pytest.approx(summary.validation_loss)
    assert lines[-1]["train/loss"] < lines[0]["train/loss"]


def test_a_model_says_how_it_was_trained(trained):
    folder, summary = trained
    facts = Forecaster.load(folder).config.training
    assert facts["measures"] == {"loss": summary.validation_loss}
    assert (facts["step"], facts["epoch"]) == (summary.best_step, summary.best_epoch)
    assert facts["window"] == WINDOW
    assert facts["random_seed"] == 0
    names = facts["sources"]["train"] + facts["sources"]["validation"]
    assert sorted(names) == [name for name, _ in SONGS]
    assert facts["steps"] == {"train": 600, "validation": 120}


def test_same_seed_gives_the_same_bytes_and_another_does_not(tmp_path):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        train(tmp_path / name, epochs=2, random_seed=seed)
    assert same_model(tmp_path / "a", tmp_path / "b")
    assert not same_model(tmp_path / "a", tmp_path / "c")


def test_the_learning_rate_rises_to_its_value():
    rates = [1e-3 * warm_up(number) for number in range(1, WARM_UP_STEPS + 21)]
    assert rates[0] == pytest.approx(1e-3 / WARM_UP_STEPS)
    assert rates[WARM_UP_STEPS // 2] == pytest.approx(1e-3 / 2, rel=0.02)
    assert rates[WARM_UP_STEPS - 1] < 1e-3
    assert rates[WARM_UP_STEPS:] == [pytest.approx(1e-3)] * 20


def test_a_step_advances_the_learning_rate():
    ready = training(learning_rate=1e-3)
    batch = next(ready.batches(0, 0))
    for number in range(1, 4):
        ready.step(batch, number)
    assert ready.optimiser.param_groups[0]["lr"] == 1e-3 * warm_up(3)


def test_batches_differ_from_epoch_to_epoch_and_can_be_skipped():
    ready = training()
    first, again, second = (list(ready.batches(epoch, 0)) for epoch in (0, 0, 1))
    assert torch.equal(first[0].sequence, again[0].sequence)
    assert first[0].sequence.shape != second[0].sequence.shape or not torch.equal(
        first[0].sequence, second[0].sequence
    )
    assert torch.equal(next(ready.batches(0, 1)).sequence, first[1].sequence)


def test_training_ends_when_the_validation_loss_no_longer_falls(tmp_path, monkeypatch):
    values = iter([3.0, 2.0, 2.5, 2.4, 2.3, 1.0])
    monkeypatch.setattr("sequencer.train.validation_loss", lambda model, windows, **_: next(values))
    summary = train(tmp_path / "m", patience=3)
    assert (summary.stopped_by, summary.epochs, summary.best_epoch) == ("patience", 5, 2)
    assert summary.validation_loss == 2.0


def test_interrupted_training_leaves_the_best_so_far(tmp_path):
    def interrupt(done, total, label):
        if "epoch 3 of" in label:
            raise KeyboardInterrupt

    summary = train_forecaster(
        SONGS,
        tmp_path / "m",
        settings=SETTINGS,
        normaliser=NORMALISER,
        options=ForecasterOptions(window=WINDOW),
        progress=interrupt,
    )
    assert (summary.stopped_by, summary.epochs, len(summary.validation_losses)) == (
        "interrupt",
        3,
        2,
    )
    assert roll(Forecaster.load(tmp_path / "m"), song(30), 3).shape == (3, 12)


@pytest.mark.parametrize(
    ("name", "head"), [("lstm", "mixture"), ("transformer", "tokens"), ("lstm", "contrast")]
)
@pytest.mark.parametrize("batches", [1, 5, 8])
def test_training_goes_on_bit_exactly_where_it_was_stopped(
    tmp_path, monkeypatch, name, head, batches
):
    entry = ARCHITECTURES[name]
    small = replace(entry, sizes=replace(entry.sizes, **TOY[name]))
    monkeypatch.setitem(ARCHITECTURES, name, small)
    options = {"architecture": name, "head": head, "epochs": 3, "window": 4, "save_seconds": 1e-9}
    train(tmp_path / "whole", **options)
    count = 0

    def stop(*arguments, **named):
        nonlocal count
        count += 1
        if count > batches:
            raise KeyboardInterrupt
        return batch_loss(*arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr("sequencer.train.batch_loss", stop)
        train(tmp_path / "parts", **options)
    train(tmp_path / "parts", **options, resume=True)
    assert same_model(tmp_path / "parts", tmp_path / "whole")


def test_ctrl_c_finishes_the_step_and_loses_none(tmp_path, monkeypatch):
    options = {"epochs": 2, "window": 4}
    train(tmp_path / "whole", **options)
    count = 0

    def press(*arguments, **named):
        nonlocal count
        count += 1
        if count == 5:
            signal.raise_signal(signal.SIGINT)
        return batch_loss(*arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr("sequencer.train.batch_loss", press)
        summary = train(tmp_path / "parts", **options)
    assert (summary.stopped_by, len(summary.validation_losses)) == ("interrupt", 1)
    assert load_training_state(tmp_path / "parts")["position"]["step"] == 5
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    train(tmp_path / "parts", **options, resume=True)
    assert same_model(tmp_path / "parts", tmp_path / "whole")


def test_more_epochs_go_on_where_fewer_ended(tmp_path):
    train(tmp_path / "whole", epochs=3)
    train(tmp_path / "parts", epochs=2)
    summary = train(tmp_path / "parts", epochs=3, resume=True)
    assert (summary.epochs, len(summary.validation_losses)) == (3, 3)
    assert same_model(tmp_path / "parts", tmp_path / "whole")


def test_resuming_needs_the_same_options_sources_and_something_to_resume(tmp_path):
    with pytest.raises(CheckpointError, match="nothing to resume .*train without --resume"):
        train(tmp_path / "m", epochs=1, resume=True)
    train(tmp_path / "m", epochs=1)
    with pytest.raises(
        ParameterError, match=r"was trained with head mixture \(not point\); to resume, give the"
    ):
        train(tmp_path / "m", epochs=1, head="point", resume=True)
    with pytest.raises(
        ParameterError, match=r"trained on other files than these \(2 removed: .*--force"
    ):
        train(tmp_path / "m", sequences=SONGS[:4], epochs=1, resume=True)
    shorter = [(name, rows[:-1]) for name, rows in SONGS]
    with pytest.raises(ParameterError, match=r"than these \(6 changed: song0, song1, …\)"):
        train(tmp_path / "m", sequences=shorter, epochs=1, resume=True)
    with pytest.raises(
        DatabaseError, match=r"hop_length is 512 in the database and 1024 in the model .*m;"
    ):
        train_forecaster(
            shorter,
            tmp_path / "m",
            settings=replace(SETTINGS, hop_length=512),
            normaliser=NORMALISER,
            options=ForecasterOptions(window=WINDOW),
            resume=True,
        )


class Hostile:
    """A pickle of it makes a file when it is read."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (os.system, (f"touch {self.path}",))


def test_training_state_with_code_in_it_is_refused_and_not_run(tmp_path):
    train(tmp_path / "m", epochs=1)
    torch.save({"model": Hostile(tmp_path / "was run")}, tmp_path / "m" / "training.pt")
    with pytest.raises(CheckpointError, match=r"training.pt: damaged, or holds code.*train anew"):
        train(tmp_path / "m", epochs=1, resume=True)
    assert not (tmp_path / "was run").exists()


def test_time_budget_ends_training_with_a_model(tmp_path):
    summary = train(tmp_path / "m", epochs=10_000, patience=10_000, minutes=0.02)
    assert summary.stopped_by == "minutes"
    assert summary.seconds < 20
    assert roll(Forecaster.load(tmp_path / "m"), song(30), 3).shape == (3, 12)


def test_half_precision_trains(tmp_path):
    assert math.isfinite(train(tmp_path / "m", epochs=2, precision="bfloat16").validation_loss)


def test_loss_that_is_not_a_number_stops_with_advice(tmp_path):
    with pytest.raises(TrainingError, match="smaller --learning-rate"):
        train(tmp_path / "m", learning_rate=1e30)


def test_wandb_in_disabled_mode_does_not_change_training(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "disabled")
    train(tmp_path / "a", epochs=1, wandb=True)
    train(tmp_path / "b", epochs=1)
    assert same_model(tmp_path / "a", tmp_path / "b")


@pytest.mark.parametrize(
    "options",
    [
        {"epochs": 0},
        {"window": -1},
        {"batch_size": 0},
        {"patience": 0},
        {"learning_rate": 0.0},
        {"learning_rate": math.nan},
        {"minutes": 0.0},
        {"precision": "int3"},
    ],
)
def test_bad_options_are_refused(options):
    with pytest.raises(ParameterError, match=f"{next(iter(options))}=.* must be"):
        ForecasterOptions(**options)


def test_unknown_device_is_refused(tmp_path):
    with pytest.raises(ParameterError, match="device='abacus' cannot be used here .*--device cpu"):
        train(tmp_path / "m", device="abacus")


def test_constant_descriptors_train_a_head_that_chooses(tmp_path):
    rows = add_deltas(np.tile([1.0, 0.0, -300.0, 7.0], (90, 1)).astype(np.float32), width=9)
    summary = train_forecaster(
        [(f"c{i}", rows) for i in range(3)],
        tmp_path / "m",
        settings=SETTINGS,
        normaliser=fit_normaliser([rows], 12),
        options=ForecasterOptions(head="contrast", epochs=2, window=WINDOW),
    )
    assert math.isfinite(summary.validation_loss)


@pytest.mark.parametrize("head", FORECASTING)
def test_constant_descriptors_train_and_are_continued(tmp_path, head):
    rows = add_deltas(np.tile([1.0, 0.0, -300.0, 7.0], (90, 1)).astype(np.float32), width=9)
    constant = [(f"c{i}", rows) for i in range(3)]
    train_forecaster(
        constant,
        tmp_path / "m",
        settings=SETTINGS,
        normaliser=fit_normaliser([rows], 12),
        options=ForecasterOptions(head=head, epochs=2, window=WINDOW),
    )
    forecast = roll(Forecaster.load(tmp_path / "m"), rows, 20)
    np.testing.assert_allclose(forecast[:, :4], rows[:20, :4], atol=1e-3)


def test_one_source_is_split_by_time(tmp_path):
    summary = train(tmp_path / "m", sequences=SONGS[:1], epochs=1)
    assert (summary.split_by, summary.train_steps, summary.validation_steps) == ("time", 108, 12)


def test_a_corpus_shorter_than_a_window_is_trained_on_in_shorter_ones(tmp_path):
    summary = train(tmp_path / "m", window=1000, epochs=1)
    assert summary.train_steps == 600
    half = train(tmp_path / "half", window=300, epochs=1)
    assert summary.validation_loss == half.validation_loss


@pytest.mark.parametrize(
    ("function", "kept"),
    [
        ("training.checkpoint.save_file", MODEL_FILES),
        ("training.checkpoint.torch.save", (*MODEL_FILES, "training.pt")),
    ],
)
def test_full_disk_leaves_the_last_good_checkpoint(tmp_path, monkeypatch, function, kept):
    folder = tmp_path / "m"
    train(folder, epochs=1)
    before = {name: (folder / name).read_bytes() for name in kept}
    files = {file.name for file in folder.iterdir()}

    def full(what, path, *arguments):
        path.write_bytes(b"half a ")
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(function, full)
        with pytest.raises(
            ParameterError, match=r"m: cannot be saved .No space left on device.; .*--resume"
        ):
            train(folder, epochs=2, resume=True)
    assert {name: (folder / name).read_bytes() for name in kept} == before
    assert {file.name for file in folder.iterdir()} == files
    train(folder, epochs=2, resume=True)
