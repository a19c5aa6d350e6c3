"""Checkpoints of flows, however damaged."""

import json

import pytest
import torch

from files.errors import CheckpointError
from synth.flow_generator import FlowGenerator
from synth.generator import load_generator
from tests.checkpoints import load_checkpoint
from tests.synth.toy_flows import toy_flow
from training.checkpoint import save_checkpoint


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("flow")
    toy_flow().save(folder)
    return folder


def with_config(saved, tmp_path, path, value):
    """Copy a checkpoint, with another value in its config."""
    config = json.loads((saved / "config.json").read_text())
    *folders, last = path
    part = config
    for name in folders:
        part = part[name]
    part[last] = value
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "model.safetensors").write_bytes((saved / "model.safetensors").read_bytes())
    return tmp_path


def test_saved_and_loaded_flow_makes_the_same(saved):
    loaded = load_generator(saved)
    assert isinstance(loaded, FlowGenerator)
    assert (loaded.architecture, loaded.training_summary) == ("flow", {"steps": 1})
    assert torch.equal(loaded.sample(70, random_seeds=[3]), toy_flow().sample(70, random_seeds=[3]))


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("flow", "width"), 128, "do not fit .*has shape"),
        (
            ("flow", "width"),
            64 * 10**7,
            "width=640000000 must be .* to 16384",
        ),  # would take an exabyte
        (("flow", "width"), 64 * 10**30, "width=an integer of 106 bits must be"),
        (("flow", "width"), "wide", "width='wide' must be an integer from 1"),
        (("flow", "width"), 72, "head_width=64 must be even and divide width=72"),
        (("flow", "layers"), 3, "do not fit .*is missing"),
        (("flow", "layers"), 10**9, "layers=1000000000 must be .* to 128"),
        (("flow", "patch_frames"), 10**9, "patch_frames=1000000000 must be .* to 256"),
        (("flow", "style_size"), 10**12, "style_size=1000000000000 must be .* to 16384"),
        (("flow", "colour"), 1, "unknown 'colour'; known are patch_frames"),
        (("flow",), [], "damaged: flow.* must be an object"),
        (("window_frames",), 10**12, "window_frames=1000000000000 must be .* to 16384"),
        (("window_frames",), 64.0, "window_frames=64.0 must be an integer"),
        (("window_frames",), 66, "window_frames=66 must be a multiple of patch_frames=4"),
        (("mel", "n_mels"), 10**12, "n_mels=1000000000000 must be .* to 512"),
        (("mel", "n_mels"), 10**30, "n_mels=an integer of 100 bits"),
        (("mel", "hop_length"), 0, "hop_length=0 must be an integer from 1"),
        (("kind",), "vocoder", "holds a vocoder, not a generator"),
        (("unagan",), {}, "holds flow and unagan"),
    ],
)
def test_damaged_or_hostile_config_raises(path, value, message, saved, tmp_path):
    with pytest.raises(CheckpointError, match=message):
        load_generator(with_config(saved, tmp_path, path, value))


@pytest.mark.parametrize("name", ["mean", "std", "curve_std", "styles", "network.out.weight"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_or_statistics_that_are_no_numbers_raise(name, value, saved, tmp_path):
    config, tensors = load_checkpoint(saved, kind="generator")
    tensors[name].flatten()[-1] = value
    save_checkpoint(tmp_path, kind="generator", config=config, tensors=tensors)
    with pytest.raises(CheckpointError, match=f"{name} holds NaN or infinite values"):
        load_generator(tmp_path)


@pytest.mark.parametrize("name", ["std", "curve_std", "style_std"])
def test_spread_that_is_not_positive_raises(name, saved, tmp_path):
    config, tensors = load_checkpoint(saved, kind="generator")
    tensors[name][0] = 0
    save_checkpoint(tmp_path, kind="generator", config=config, tensors=tensors)
    with pytest.raises(CheckpointError, match="positive"):
        load_generator(tmp_path)


@pytest.mark.parametrize("n_bytes", [0, 5, 1000, -1])
def test_truncated_weights_raise(n_bytes, saved, tmp_path):
    copy = with_config(saved, tmp_path, ("version",), 1)
    path = copy / "model.safetensors"
    path.write_bytes(path.read_bytes()[:n_bytes])
    with pytest.raises(CheckpointError, match="damaged"):
        load_generator(copy)
