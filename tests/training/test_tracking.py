import json
import os
import sys
from types import SimpleNamespace

import pytest

from files.errors import ParameterError
from training.tracking import LOG, Tracker


class Run:
    """What wandb.init gives; it breaks after `whole` lines."""

    def __init__(self, whole=100):
        self.lines = []
        self.ended = []
        self._whole = whole

    def log(self, values):
        if len(self.lines) == self._whole:
            raise RuntimeError("the service is away")
        self.lines.append(values)

    def finish(self, exit_code):
        self.ended.append(exit_code)


@pytest.fixture
def wandb(monkeypatch):
    fake = SimpleNamespace(
        run=Run(), Image=lambda path: f"image {path}", Audio=lambda path: f"audio {path}"
    )
    fake.init = lambda **options: setattr(fake, "options", options) or fake.run
    monkeypatch.setitem(sys.modules, "wandb", fake)
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("WANDB_MODE", "disabled")
    return fake


def lines(folder):
    return [json.loads(line) for line in (folder / LOG).read_text().splitlines()]


def test_every_line_is_there_at_once(tmp_path):
    with Tracker(tmp_path / "m") as tracker:
        tracker.log({"step": 1, "loss": 0.5})
        assert lines(tmp_path / "m") == [
            {"step": 1, "loss": 0.5}
        ]  # a training that is killed has its log


def test_a_new_log_begins_and_a_resumed_one_goes_on(tmp_path):
    for step, resume in ((1, False), (2, True)):
        with Tracker(tmp_path, resume=resume) as tracker:
            tracker.log({"step": step})
    assert lines(tmp_path) == [{"step": 1}, {"step": 2}]
    Tracker(tmp_path).__exit__(None, None, None)
    assert lines(tmp_path) == []


def test_a_log_that_is_a_pipe_or_a_device_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / LOG)
    for kind in ("a named pipe", "a device"):
        for resume in (False, True):
            with pytest.raises(ParameterError, match=f"{LOG}: {kind}, not a file; remove it"):
                Tracker(tmp_path, resume=resume)
        (tmp_path / LOG).unlink()
        (tmp_path / LOG).symlink_to("/dev/full")


def test_wandb_hears_what_the_log_has_and_sees_what_is_shown(tmp_path, wandb):
    with Tracker(tmp_path, wandb=True, config={"window": 8}) as tracker:
        tracker.log({"step": 1})
        tracker.show([tmp_path / "seed.png", tmp_path / "seed-1.wav"], 2)
    assert wandb.options == {"project": "demiurge", "dir": str(tmp_path), "config": {"window": 8}}
    shown = {"seed": f"image {tmp_path / 'seed.png'}", "seed-1": f"audio {tmp_path / 'seed-1.wav'}"}
    assert wandb.run.lines == [{"step": 1}, {"step": 2, **shown}]
    assert wandb.run.ended == [0]
    assert lines(tmp_path) == [{"step": 1}, {"step": 2}]


def test_wandb_is_told_of_a_training_that_failed(tmp_path, wandb):
    with pytest.raises(KeyError), Tracker(tmp_path, wandb=True):
        raise KeyError
    assert wandb.run.ended == [1]


def test_wandb_that_breaks_off_is_left_and_the_log_goes_on(tmp_path, wandb, capsys):
    wandb.run = Run(whole=1)
    with Tracker(tmp_path, wandb=True) as tracker:
        for step in range(4):
            tracker.log({"step": step})
    assert capsys.readouterr().err == f"warning: W&B stopped (the service is away); {LOG} goes on\n"
    assert [line["step"] for line in lines(tmp_path)] == [0, 1, 2, 3]


def test_wandb_that_does_not_start_is_said_and_the_log_is_written(tmp_path, wandb, capsys):
    def refuse(**options):
        raise RuntimeError("no key")

    wandb.init = refuse
    with Tracker(tmp_path, wandb=True) as tracker:
        tracker.log({"step": 1})
    assert "warning: W&B could not start (no key)" in capsys.readouterr().err
    assert lines(tmp_path) == [{"step": 1}]


def test_what_cannot_be_tracked_is_refused(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(
        ParameterError, match=r'W&B is not installed; .* -m pip install "wandb>=.* without --track'
    ):
        Tracker(tmp_path, wandb=True)
    (tmp_path / "file").write_text("")
    with pytest.raises(
        ParameterError, match=r"file: cannot be written \(File exists\); .* or remove what is there"
    ):
        Tracker(tmp_path / "file")
