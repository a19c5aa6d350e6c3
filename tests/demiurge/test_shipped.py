"""The models that come with Demiurge, by name."""

import json
import re
from pathlib import Path

import pytest

from demiurge.shipped import (
    MODELS,
    WEIGHTS,
    model_path,
    shipped_model,
    shipped_names,
    shipped_vocoders,
    vocoder_path,
)
from files.errors import ParameterError
from synth.generator import load_generator
from synth.mel import PRESETS
from synth.vocoder import Vocoder

MEL = {name: mel.to_dict() for name, mel in PRESETS.items()}


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """Configs of all models that may be shipped, in a folder where `shipped` is no folder."""
    for kind, names in MODELS.items():
        for name in names:
            (tmp_path / "weights" / name).mkdir(parents=True)
            mel = MEL["44k" if name.endswith("44k") else "22k"]
            config = {"kind": kind, "version": 1, "mel": mel}
            (tmp_path / "weights" / name / "config.json").write_text(json.dumps(config))
    monkeypatch.setattr("demiurge.shipped.WEIGHTS", tmp_path / "weights")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "weights"


def test_default_and_others_by_name(weights):
    assert model_path(Path("shipped"), "generator") == weights / "flow-piano"
    assert model_path("shipped:unagan", "generator") == weights / "unagan"
    assert model_path(Path("shipped"), "vocoder") == weights / "vocoder"
    assert model_path(Path("shipped:vocoder-44k"), "vocoder") == weights / "vocoder-44k"
    assert model_path(Path("x/shipped"), "generator") == Path("x/shipped")
    assert model_path("shipped_", "vocoder") == Path("shipped_")


@pytest.mark.parametrize("name", ["shipped", "shipped:unagan"])
def test_a_folder_of_that_name_goes_first(weights, name):
    Path(name).mkdir()
    assert model_path(name, "generator") == Path(name)
    assert vocoder_path(name, MEL["44k"]) == Path(name)


@pytest.mark.parametrize("name", ["flute", "vocoder", "", "../weights/unagan"])
def test_unknown_names_list_the_known_ones(weights, name):
    known = "shipped, shipped:flow-piano, shipped:flow-drums, shipped:unagan"
    with pytest.raises(ParameterError, match=f"no generator of that name is .* one of {known},"):
        model_path(f"shipped:{name}", "generator")


def test_what_is_not_there_is_not_listed(weights):
    for name in ("flow-piano", "flow-drums"):
        (weights / name / "config.json").unlink()
    assert shipped_names("generator") == ["unagan"]
    assert shipped_model("generator") == weights / "unagan"
    with pytest.raises(ParameterError, match="choose one of shipped, shipped:unagan, or give"):
        model_path("shipped:flow-drums", "generator")


def test_shipped_is_the_vocoder_of_the_mels_of_a_generator(weights):
    assert vocoder_path(Path("shipped"), MEL["44k"]) == weights / "vocoder-44k"
    assert vocoder_path("shipped", MEL["22k"]) == weights / "vocoder"
    assert vocoder_path("shipped:vocoder", MEL["44k"]) == weights / "vocoder"
    assert vocoder_path("my.vocoder", MEL["44k"]) == Path("my.vocoder")
    assert shipped_vocoders(MEL["hifigan"]) == []
    message = "(80 bands every 256 samples at 22050 Hz); train one with the same --mel"
    with pytest.raises(ParameterError, match=re.escape(message)):
        vocoder_path("shipped", MEL["hifigan"])


def test_shipped_models_load_and_have_a_vocoder():
    for name in shipped_names("vocoder"):
        assert Vocoder.load(WEIGHTS / name).mel in PRESETS.values()
    for name in shipped_names("generator"):
        mel = load_generator(WEIGHTS / name).mel
        assert shipped_vocoders(mel.to_dict())
