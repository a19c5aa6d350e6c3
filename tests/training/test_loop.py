"""The training loop, on a line that is fitted to points."""

import json
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from files.errors import CheckpointError, ParameterError, TrainingError
from training.checkpoint import load_training_state, save_training_state
from training.distributed import Distributed
from training.ema import update_ema
from training.loop import TrainingLoop
from training.options import TrainingOptions
from training.trainable import Trainable

BATCHES = 4  # of an epoch


class Line(Trainable):
    """y = 2 x + 1, learned from noisy points; validation losses may be given."""

    def __init__(self, losses=None):
        torch.manual_seed(0)
        self.model = nn.Linear(1, 1)
        self.optimiser = torch.optim.SGD(self.model.parameters(), lr=0.1)
        self.parts = {"model": self.model, "optimiser": self.optimiser}
        self.identity = {"kind": "line"}
        self.files = {"a": [1], "b": [2]}
        self.losses = iter(losses or [])
        self.seen = []  # what is told of each step: batch, number, a random number
        self.saved = []  # summaries
        self.shown = []
        self.n_epochs = 0

    def batches(self, epoch, skip):
        return iter([(epoch, number) for number in range(BATCHES)][skip:])

    def step(self, batch, n_steps):
        x = torch.randn(8, 1)
        self.seen.append((batch, n_steps, float(x[0, 0])))
        loss = (self.model(x) - 2 * x - 1).square().mean()
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        return {"squares": loss.item()}

    def validate(self, ema):
        return {"loss": next(self.losses, (ema.weight - 2).abs().item())}

    def save(self, ema, folder, summary):
        self.saved.append(summary)
        torch.save(ema.state_dict(), folder / "best.pt")

    def end_epoch(self):
        self.n_epochs += 1

    def show(self, ema, folder, step):
        self.shown.append(step)
        return []


def run(folder, line=None, *, resume=False, progress=None, **options):
    """Train a line; return the loop and the summary."""
    line = line or Line()
    options = TrainingOptions(**{"threads": 1, **options})
    told = [] if progress is None else progress
    loop = TrainingLoop(
        line, Path(folder), options, Distributed(), progress=lambda *said: told.append(said)
    )
    return loop, loop.run(resume=resume)


def log(folder):
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def same_state(first, second):
    """Whether two folders hold the same weights and optimisers, averaged or not."""
    states = [load_training_state(folder) for folder in (first, second)]
    flat = [[*s["ema"].values(), *s["trainable"]["model"].values()] for s in states]
    return all(torch.equal(a, b) for a, b in zip(*flat, strict=True))


def test_steps_end_training(tmp_path):
    loop, summary = run(tmp_path, steps=6)
    assert (summary.stopped_by, summary.steps, summary.epochs) == ("steps", 6, 2)
    assert [seen[:2] for seen in loop.trainable.seen] == [
        ((number // BATCHES, number % BATCHES), number + 1) for number in range(6)
    ]
    assert loop.trainable.n_epochs == 1
    assert len(summary.validation_losses) == 1


@pytest.mark.parametrize("epochs", [1, 3])
def test_epochs_end_training(tmp_path, epochs):
    loop, summary = run(tmp_path, epochs=epochs, validate_epochs=True)
    assert (summary.stopped_by, summary.epochs) == ("epochs", epochs)
    assert summary.steps == epochs * BATCHES
    assert len(summary.validation_losses) == epochs
    assert loop.trainable.n_epochs == epochs - 1


@pytest.mark.parametrize("patience", [1, 2])
def test_patience_ends_training(tmp_path, patience):
    line = Line([5.0, 4.0, 4.0, 4.5, 1.0])
    _, summary = run(tmp_path, line, patience=patience, validate_epochs=True)
    assert (summary.stopped_by, summary.best_epoch, summary.validation_loss) == ("patience", 2, 4.0)
    assert summary.epochs == 2 + patience
    assert len(line.saved) == 2


def test_minutes_end_training_with_a_validation(tmp_path):
    loop, summary = run(tmp_path, minutes=1e-9, show_minutes=1e9)
    assert (summary.stopped_by, summary.steps, summary.best_step) == ("minutes", 1, 1)
    assert loop.trainable.shown == [1]  # samples of what a run ends with
    _, summary = run(tmp_path, minutes=1e-9, resume=True)
    assert (summary.steps, len(summary.validation_losses)) == (2, 2)


def test_validation_comes_every_so_many_steps(tmp_path):
    run(tmp_path, steps=7, validate_steps=3)
    assert [line["step"] for line in log(tmp_path) if "validation/loss" in line] == [3, 6, 7]


def test_steps_to_validation_are_counted_within_the_epoch_if_epochs_are_validated(tmp_path):
    run(tmp_path, epochs=2, validate_epochs=True, validate_steps=3)
    assert [line["step"] for line in log(tmp_path)] == [3, 4, 7, 8]


def test_validation_comes_every_so_many_minutes(tmp_path):
    often = {"validate_minutes": 1e-9, "validate_steps": 100}
    _, by_time = run(tmp_path / "a", Line(), steps=3, minutes=60, **often)
    _, by_steps = run(tmp_path / "b", Line(), steps=3, **often)  # nothing may depend on time here
    assert (len(by_time.validation_losses), len(by_steps.validation_losses)) == (3, 1)


def test_the_ema_is_validated(tmp_path):
    loop, _ = run(tmp_path, steps=5, validate_steps=1)
    assert not torch.equal(loop.ema.weight, loop.trainable.model.weight)
    assert loop.at.validation_losses[-1] == pytest.approx((loop.ema.weight - 2).abs().item())


def test_the_ema_follows_every_step(tmp_path):
    line = Line()
    expected = nn.Linear(1, 1)
    step = line.step
    after = []

    def keep(batch, n_steps):
        losses = step(batch, n_steps)
        after.append(line.model.weight.detach().clone())
        return losses

    line.step = keep
    loop, _ = run(tmp_path, line, steps=5)
    model = nn.Linear(1, 1)
    model.bias, expected.bias = line.model.bias, nn.Parameter(line.model.bias.detach().clone())
    for number, weight in enumerate(after, start=1):
        model.weight = nn.Parameter(weight)
        update_ema(expected, model, number)
    torch.testing.assert_close(loop.ema.weight, expected.weight)


def test_only_what_is_better_replaces_the_best(tmp_path):
    line = Line([3.0, 1.0, 2.0, 1.0])
    _, summary = run(tmp_path, line, steps=4, validate_steps=1)
    assert (summary.best_step, summary.validation_loss) == (2, 1.0)
    assert summary.validation_losses == [3.0, 1.0, 2.0, 1.0]
    assert [(kept["step"], kept["measures"]) for kept in line.saved] == [
        (1, {"loss": 3.0}),
        (2, {"loss": 1.0}),
    ]


def test_what_was_best_before_the_discriminators_joined_does_not_compete(tmp_path):
    line = Line([1.0, 3.0, 4.0, 2.0])
    line.adversarial_from = 1
    _, summary = run(tmp_path, line, steps=4, validate_steps=1)
    assert (summary.best_step, summary.validation_loss) == (4, 2.0)


def test_trained_weights_are_to_be_beaten(tmp_path):
    line = Line([1.0, 3.0, 2.0])
    line.starts_trained = True
    _, summary = run(tmp_path, line, steps=4, validate_steps=2)
    assert (summary.best_step, summary.validation_losses) == (0, [1.0, 3.0, 2.0])


def test_each_step_has_its_own_random_numbers_that_the_seed_decides(tmp_path):
    numbers = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        loop, _ = run(tmp_path / name, steps=3, random_seed=seed)
        numbers.append([seen[2] for seen in loop.trainable.seen])
    assert numbers[0] == numbers[1]
    assert len({*numbers[0], *numbers[2]}) == 6


def test_each_process_has_its_own_random_numbers(tmp_path, monkeypatch):
    first, _ = run(tmp_path / "a", steps=2)
    monkeypatch.setattr(TrainingLoop, "_agree", lambda self, *wanted: wanted)
    line = Line()
    distributed = Distributed()
    distributed.rank = 1  # which saves nothing
    loop = TrainingLoop(line, tmp_path / "b", TrainingOptions(steps=2, threads=1), distributed)
    loop.run()
    assert not (tmp_path / "b").exists()
    numbers = [seen[2] for seen in [*first.trainable.seen, *line.seen]]
    assert len(set(numbers)) == 4


def test_references_are_measured_once(tmp_path):
    line = Line()
    calls = []
    line.baselines = lambda ema: calls.append(1) or {"guessing": 9.0}
    _, summary = run(tmp_path, line, steps=4, validate_steps=1)
    assert (summary.baselines, calls) == ({"guessing": 9.0}, [1])
    _, summary = run(tmp_path, steps=5, validate_steps=1, resume=True)
    assert summary.baselines == {"guessing": 9.0}


@pytest.mark.parametrize("stop", [1, 3, 4, 6])
@pytest.mark.parametrize("save_seconds", [1e-9, 1e9])
def test_a_training_that_is_cut_off_and_resumed_ends_with_the_same_weights(
    tmp_path, stop, save_seconds
):
    options = {"epochs": 3, "validate_epochs": True, "save_seconds": save_seconds}
    run(tmp_path / "whole", **options)
    line = Line()
    step = line.step

    def cut_off(batch, n_steps):
        if n_steps > stop:
            raise KeyboardInterrupt
        return step(batch, n_steps)

    line.step = cut_off
    _, summary = run(tmp_path / "parts", line, **options)
    assert summary.stopped_by == "interrupt"
    assert summary.best_step >= 0  # a model is there
    saved_step = load_training_state(tmp_path / "parts")["position"]["step"]
    assert saved_step == (stop if save_seconds < 1 else BATCHES * (stop // BATCHES))
    run(tmp_path / "parts", **options, resume=True)
    assert same_state(tmp_path / "parts", tmp_path / "whole")


def test_ctrl_c_finishes_the_step_validates_and_saves(tmp_path):
    run(tmp_path / "whole", steps=6)
    line = Line()
    step = line.step

    def press(batch, n_steps):
        if n_steps == 3:
            signal.raise_signal(signal.SIGINT)
        return step(batch, n_steps)

    line.step = press
    loop, summary = run(tmp_path / "parts", line, steps=6, show_minutes=1e9)
    assert (summary.stopped_by, summary.steps, summary.best_step) == ("interrupt", 3, 3)
    assert loop.trainable.shown == []  # who interrupts does not wait for samples
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    run(tmp_path / "parts", steps=6, resume=True)
    assert same_state(tmp_path / "parts", tmp_path / "whole")


def test_a_stop_at_the_end_of_an_epoch_validates_it_once(tmp_path):
    line = Line()
    step = line.step

    def press(batch, n_steps):
        if n_steps == BATCHES:
            signal.raise_signal(signal.SIGINT)
        return step(batch, n_steps)

    line.step = press
    options = {"epochs": 2, "validate_epochs": True}
    run(tmp_path, line, **options)
    _, summary = run(tmp_path, **options, resume=True)
    assert (summary.stopped_by, len(summary.validation_losses)) == ("epochs", 2)


def test_a_loss_that_is_not_a_number_stops_with_advice(tmp_path):
    line = Line()
    line.step = lambda batch, n_steps: {"squares": float("nan")}
    with pytest.raises(
        TrainingError, match=r"step 1: squares is not a number; .*\(--force\) with a smaller"
    ):
        run(tmp_path, line, steps=3)
    with pytest.raises(TrainingError, match="step 2: the validation loss is not a number; "):
        run(tmp_path, Line([float("inf")]), steps=2)


def test_resuming_with_other_options_or_files_names_what_differs(tmp_path):
    run(tmp_path, steps=1)
    with pytest.raises(ParameterError, match=r"with batch_size 16 \(not 8\), random_seed 0 \(not"):
        run(tmp_path, steps=2, batch_size=8, random_seed=3, resume=True)
    line = Line()
    line.files = {"a": [7], "c": [1]}
    with pytest.raises(
        ParameterError,
        match=r"on other files than these \(1 added: c, 1 removed: b, 1 changed: a\); .* --force",
    ):
        run(tmp_path, line, steps=2, resume=True)
    line = Line()
    line.identity = {"kind": "circle"}
    line.files = {}
    with pytest.raises(ParameterError, match=r"was trained with kind line \(not circle\)"):
        run(tmp_path, line, steps=2, resume=True)


def test_a_state_of_another_version_is_refused_with_the_remedy(tmp_path):
    run(tmp_path, steps=1)
    state = load_training_state(tmp_path)
    for changed, message in (
        ({"progress": {}}, r"of version 0.1.0, .* --force, .* --from"),
        ({**state, "version": 9}, "of another version of Demiurge, or damaged; update"),
    ):
        save_training_state(tmp_path, changed)
        with pytest.raises(CheckpointError, match=message):
            run(tmp_path, steps=2, resume=True)


def test_a_state_of_another_size_is_refused(tmp_path):
    run(tmp_path, steps=1)
    line = Line()
    line.model = line.parts["model"] = nn.Linear(1, 2)
    with pytest.raises(CheckpointError, match=r"training.pt: does not fit the model \(.*--from"):
        run(tmp_path, line, steps=2, resume=True)


def test_log_lines_have_mean_losses_since_the_line_before(tmp_path):
    line = Line([9.0, 8.0])
    losses = iter(range(1, 7))
    line.step = lambda batch, n_steps: {"squares": float(next(losses))}
    run(tmp_path, line, steps=6, log_steps=2, validate_steps=3)
    lines = log(tmp_path)
    assert [(entry["step"], entry["train/squares"]) for entry in lines] == [
        (2, 1.5),
        (3, 3.0),
        (4, 4.0),
        (6, 5.5),
    ]
    assert [entry.get("validation/loss") for entry in lines] == [None, 9.0, None, 8.0]
    assert [entry["epoch"] for entry in lines] == [1, 1, 1, 2]
    assert all({"seconds", "steps_per_second", "wait_share"} <= entry.keys() for entry in lines)


def test_progress_says_where_training_is(tmp_path):
    told = []
    run(tmp_path, Line([3.0, 2.0]), epochs=2, validate_epochs=True, progress=told)
    assert told[0] == (0, 1000, "epoch 1 of 2, first step")
    done, total, label = told[-1]
    assert (done, total) == (500, 1000)
    assert label.startswith("epoch 2 of 2, step 8 (")
    assert ", loss " in label
    assert label.endswith("validation █▁ 2.000, best 2.000 after step 8")
    run(tmp_path / "b", steps=4, minutes=60, validate_steps=2, show_minutes=30, progress=told)
    done, _, label = told[-1]
    assert done == 1000
    assert label.startswith("0.0 of 60 min, step 4 (")
    assert "validation in 0.0 min, samples in 3.0 min" in label


def test_samples_come_early_and_then_in_time(tmp_path):
    loop, _ = run(tmp_path, steps=3, show_minutes=1e-9)
    assert loop.trainable.shown == [1, 2, 3]
    loop, _ = run(tmp_path / "b", steps=3)
    assert loop.trainable.shown == []


def test_options_that_last_are_those_that_decide(tmp_path):
    options = TrainingOptions(steps=3, minutes=1.0, device="cpu", learning_rate=0.5, threads=1)
    assert options.lasting().keys() >= options.identity().keys()
    assert not options.lasting().keys() & {"steps", "epochs", "minutes", "device", "threads"}
    longer = replace(options, steps=9, minutes=None)
    assert longer.identity() == options.identity()
