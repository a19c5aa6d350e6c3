"""What is no codec is refused with what it is, and what to do; without transformers."""

import json

import pytest

from files.errors import CheckpointError, ParameterError
from synth.open_codec import open_codec


def folder_with(tmp_path, config, *files):
    folder = tmp_path / "model"
    folder.mkdir()
    text = config if isinstance(config, str) else json.dumps(config)
    (folder / "config.json").write_text(text)
    for name in files:
        (folder / name).write_text("")
    return folder


def test_name_on_the_hub_gives_the_command_that_fetches_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        CheckpointError,
        match="^facebook/encodec_24khz: no such folder; .*fetch it first: hf download"
        " facebook/encodec_24khz --local-dir encodec_24khz$",
    ):
        open_codec("facebook/encodec_24khz")


@pytest.mark.parametrize("name", ["nothing", "/nowhere/at/all", "../a/b"])
def test_path_with_nothing_there(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointError, match=f"^{name}: no such file or folder; .*hf download"):
        open_codec(name)


def test_folder_without_a_model_and_file_that_is_none(tmp_path):
    with pytest.raises(
        CheckpointError, match="no model here \\(no config.json\\); give the folder"
    ):
        open_codec(tmp_path)
    (tmp_path / "a.wav").write_bytes(b"RIFF")
    with pytest.raises(CheckpointError, match="a.wav: not a codec"):
        open_codec(tmp_path / "a.wav")


def test_config_without_a_type(tmp_path):
    with pytest.raises(CheckpointError, match="config.json has neither kind nor model_type"):
        open_codec(folder_with(tmp_path, {"hidden_size": 3}))


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ("{", "line 1, column 2"),
        ("[]", "must be an object"),
        ('{"model_type": 3}', "model_type=3 must be text or null"),
        ('{"model_type": "dac", "auto_map": ' + "[" * 40 + "]" * 40 + "}", "nested at most 32"),
    ],
)
def test_damaged_config(tmp_path, config, reason):
    with pytest.raises(CheckpointError, match=rf"config.json: .*{reason}.*; "):
        open_codec(folder_with(tmp_path, config))


def test_model_of_another_type_is_named_with_the_known_ones(tmp_path):
    with pytest.raises(
        CheckpointError, match="holds a model of the type bert, .*known are encodec, dac, mimi"
    ):
        open_codec(folder_with(tmp_path, {"model_type": "bert"}))


def test_folder_with_code_is_refused(tmp_path):
    config = {"model_type": "dac", "auto_map": {"AutoModel": "modeling.Dac"}}
    with pytest.raises(
        CheckpointError, match="comes with code \\(auto_map in config.json\\), which"
    ):
        open_codec(folder_with(tmp_path, config))
    (tmp_path / "model" / "config.json").write_text('{"model_type": "dac"}')
    (tmp_path / "model" / "modeling_dac.py").write_text("1 / 0")
    with pytest.raises(
        CheckpointError, match="comes with code \\(modeling_dac.py\\), which is never"
    ):
        open_codec(tmp_path / "model")


def test_folder_without_weights(tmp_path):
    with pytest.raises(
        CheckpointError, match="no weights here \\(no model.safetensors\\); download"
    ):
        open_codec(folder_with(tmp_path, {"model_type": "mimi"}, "preprocessor_config.json"))


def test_weights_as_a_pickle_name_the_way_to_safetensors(tmp_path):
    folder = folder_with(tmp_path, {"model_type": "encodec"}, "pytorch_model.bin")
    with pytest.raises(
        CheckpointError,
        match=r"weights are a pickle \(pytorch_model.bin\), .*python -c .*transformers"
        r".EncodecModel.from_pretrained\(.*\).save_pretrained\(.*-safetensors",
    ):
        open_codec(folder)


def test_device_that_is_not_here(tmp_path):
    with pytest.raises(ParameterError, match="device='tape' cannot be used here"):
        open_codec(folder_with(tmp_path, {"model_type": "dac"}), device="tape")
