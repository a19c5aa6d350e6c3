"""Configs and weights with altered values end in one error, or in a model that works."""

import json
import os
import struct
import time
from functools import partial

import pytest
import torch
from safetensors.torch import load_file, save_file

from files.errors import CheckpointError
from sequencer.forecaster import Forecaster
from synth.generator import load_generator
from synth.unagan import UnaganConfig
from synth.unagan_generator import UnaganGenerator
from synth.vocoder import Vocoder
from tests.sequencer.toys import toy as toy_forecaster
from tests.synth.toy_flows import toy_flow
from tests.synth.toys import MEL, TOY
from tests.training.hostile import altered, refusal
from training.checkpoint import WEIGHTS
from training.checkpoint_config import CONFIG

N_ALTERED = 60
MOST_SECONDS = 5.0
MODELS = {
    "lstm with mixture head": lambda: toy_forecaster("lstm", "mixture"),
    "transformer with tokens head": lambda: toy_forecaster("transformer", "tokens"),
    "transformer-encoder with contrast head": lambda: toy_forecaster(
        "transformer-encoder", "contrast"
    ),
    "vocos-small": lambda: Vocoder("vocos-small", MEL, config=TOY["vocos-small"]),
    "hifigan-v1": lambda: Vocoder("hifigan-v1", MEL, config=TOY["hifigan-v1"]),
    "melgan": lambda: Vocoder("melgan", MEL, config=TOY["melgan"]),
    "unagan": lambda: UnaganGenerator(UnaganConfig(width=8), MEL, latent_order=2),
    "flow": lambda: toy_flow(mel=MEL),
}


def load(folder, kind):
    loaders = {"forecaster": Forecaster.load, "vocoder": Vocoder.load, "generator": load_generator}
    return loaders[kind](folder)


@pytest.fixture(params=MODELS)
def saved(request, tmp_path):
    """A checkpoint, and its kind."""
    MODELS[request.param]().save(tmp_path)
    return tmp_path, json.loads((tmp_path / CONFIG).read_text())["kind"]


def test_altered_configs_are_refused(saved):
    folder, kind = saved
    good = json.loads((folder / CONFIG).read_text())
    n_refused = 0
    for what, config in altered(good, N_ALTERED):
        (folder / CONFIG).write_text(json.dumps(config))
        began = time.perf_counter()
        if error := refusal(partial(load, folder, kind)):
            assert isinstance(error, CheckpointError), what
            assert "; " in str(error), what
            assert len(str(error)) < 1000, what
            n_refused += 1
        assert time.perf_counter() - began < MOST_SECONDS, what
    assert n_refused > N_ALTERED / 2


def altered_weights(tensors):
    """Yield weights of other names, shapes, types and values."""
    name = max(tensors, key=lambda key: tensors[key].numel())
    tensor = tensors[name]
    yield {**tensors, "extra": torch.zeros(1)}
    yield {key: value for key, value in tensors.items() if key != name}
    for changed in (
        tensor[..., :1].clone(),
        tensor.flatten(),
        tensor.to(torch.int64),
        tensor.to(torch.complex64),
        tensor.to(torch.float64),
        torch.full_like(tensor, torch.nan),
        torch.zeros(0, 7),
    ):
        yield {**tensors, name: changed.contiguous()}


def test_altered_weights_are_refused(saved):
    folder, kind = saved
    good = {name: tensor.clone() for name, tensor in load_file(folder / WEIGHTS).items()}
    for tensors in altered_weights(good):
        save_file(tensors, folder / WEIGHTS)
        with pytest.raises(CheckpointError, match="; train the model again or restore a copy"):
            load(folder, kind)


@pytest.mark.parametrize("n_bytes", [1 << 20, 1 << 40, (1 << 64) - 1])
def test_header_of_the_weights_that_is_longer_than_the_file_is_refused(n_bytes, tmp_path):
    MODELS["vocos-small"]().save(tmp_path)
    (tmp_path / WEIGHTS).write_bytes(struct.pack("<Q", n_bytes) + b"{}")
    with pytest.raises(CheckpointError, match=f"{WEIGHTS}: damaged .*; train the model again"):
        Vocoder.load(tmp_path)


@pytest.mark.parametrize("name", [CONFIG, WEIGHTS])
def test_files_of_another_kind_are_refused(name, tmp_path):
    MODELS["vocos-small"]().save(tmp_path)
    (tmp_path / name).unlink()
    os.mkfifo(tmp_path / name)
    with pytest.raises(CheckpointError, match=f"{name}: a named pipe, not a file; train"):
        Vocoder.load(tmp_path)
    (tmp_path / name).unlink()
    (tmp_path / name).symlink_to("/dev/zero")
    with pytest.raises(CheckpointError, match=f"{name}: a device, not a file; train"):
        Vocoder.load(tmp_path)
    (tmp_path / name).unlink()
    (tmp_path / name).mkdir()
    with pytest.raises(CheckpointError, match=f"{name}: a folder, not a file; train"):
        Vocoder.load(tmp_path)
