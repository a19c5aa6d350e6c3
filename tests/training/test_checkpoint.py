import errno
import json

import pytest
import torch

from files.errors import CheckpointError, ParameterError
from tests.checkpoints import load_checkpoint
from training.checkpoint import (
    CONFIG,
    STATE,
    WEIGHTS,
    load_training_state,
    save_checkpoint,
    save_training_state,
)

pytestmark = pytest.mark.accounts

TENSORS = {"weight": torch.arange(6.0).reshape(2, 3), "count": torch.tensor(7)}


@pytest.fixture
def saved(tmp_path):
    save_checkpoint(tmp_path / "m", kind="vocoder", config={"size": 3}, tensors=TENSORS)
    return tmp_path / "m"


def test_a_checkpoint_comes_back_as_it_was(saved):
    config, tensors = load_checkpoint(saved, kind="vocoder")
    assert config == {"kind": "vocoder", "version": 1, "size": 3}
    assert tensors.keys() == TENSORS.keys()
    assert all(torch.equal(tensors[name], TENSORS[name]) for name in TENSORS)
    assert sorted(file.name for file in saved.iterdir()) == [CONFIG, WEIGHTS]


def test_a_transposed_tensor_is_saved_in_its_own_order(tmp_path):
    save_checkpoint(
        tmp_path,
        kind="vocoder",
        config={},
        tensors={"weight": TENSORS["weight"].T.requires_grad_()},
    )
    assert torch.equal(load_checkpoint(tmp_path, kind="vocoder")[1]["weight"], TENSORS["weight"].T)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"version": 2}, "is of version 2, this Demiurge knows versions up to 1; update Demiurge"),
        ({"version": "1"}, "damaged: version=.* must be an integer; train the model again"),
        ({"kind": "forecaster"}, "holds a forecaster, not a vocoder; give another model"),
    ],
)
def test_what_is_no_such_checkpoint_is_refused(saved, changes, message):
    config = json.loads((saved / CONFIG).read_text())
    (saved / CONFIG).write_text(json.dumps(config | changes))
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(saved, kind="vocoder")


@pytest.mark.parametrize(
    ("name", "content"), [(CONFIG, b"[]"), (CONFIG, b"{"), (CONFIG, b"{}"), (WEIGHTS, b"\0" * 20)]
)
def test_damaged_files_are_named(saved, name, content):
    (saved / name).write_bytes(content)
    with pytest.raises(
        CheckpointError, match=f"{name}: damaged.*; train the model again or restore a copy"
    ):
        load_checkpoint(saved, kind="vocoder")


def test_a_full_disk_leaves_the_last_good_checkpoint(saved, monkeypatch):
    def full(tensors, path):
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("training.checkpoint.save_file", full)
    with pytest.raises(
        ParameterError,
        match="cannot be saved .No space left on device.; the last save is intact",
    ):
        save_checkpoint(saved, kind="vocoder", config={"size": 4}, tensors={})
    monkeypatch.undo()
    assert load_checkpoint(saved, kind="vocoder")[0]["size"] == 3
    assert sorted(file.name for file in saved.iterdir()) == [CONFIG, WEIGHTS]


def test_a_disk_that_is_full_from_the_start_leaves_no_folder(tmp_path, monkeypatch):
    save = torch.save
    monkeypatch.setattr(
        "training.checkpoint.torch.save", lambda state, path: save(state, "/dev/full")
    )
    with pytest.raises(
        ParameterError,
        match="m: cannot be saved .*the disk is probably full.; free some space or choose",
    ):
        save_training_state(tmp_path / "m", {"weights": torch.zeros(100_000)})
    assert not (tmp_path / "m").exists()


def test_training_state_comes_back_and_code_in_it_is_never_run(tmp_path):
    save_training_state(tmp_path / "m", {"step": 4, "rng": torch.arange(3), "losses": [0.5]})
    state = load_training_state(tmp_path / "m")
    assert (state["step"], state["rng"].tolist(), state["losses"]) == (4, [0, 1, 2], [0.5])
    torch.save({"step": Command(tmp_path / "was run")}, tmp_path / "m" / STATE)
    with pytest.raises(CheckpointError, match=f"{STATE}: damaged, or holds code, .*; train anew"):
        load_training_state(tmp_path / "m")
    assert not (tmp_path / "was run").exists()
    with pytest.raises(CheckpointError, match="nothing to resume .*; train without --resume"):
        load_training_state(tmp_path)


class Command:
    """A pickle of it makes a folder when it is read."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        import os

        return os.mkdir, (str(self.path),)
