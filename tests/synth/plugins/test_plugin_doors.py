"""What is no plug-in is refused at the door, in one line with the remedy."""

import builtins
import json
import shutil
import sys
from pathlib import Path

import pytest

from files.errors import CheckpointError, ParameterError
from synth.hub_folder import hash_folder
from synth.plugins.open_plugin import open_plugin


def path_of(spec):
    return Path(spec.partition(":")[2])


@pytest.fixture
def copied(toys, tmp_path):
    """A function that copies a toy, to be damaged, and returns its folder."""
    return lambda name: Path(shutil.copytree(path_of(toys[name]), tmp_path / name))


@pytest.mark.parametrize("kind", ["transformers", "diffusers"])
def test_a_name_on_a_hub_is_answered_with_the_command_that_fetches_it(kind):
    command = f"hf download facebook/some-model --local-dir some-model, then give {kind}:some-model"
    with pytest.raises(CheckpointError, match=command):
        open_plugin(f"{kind}:facebook/some-model")


@pytest.mark.parametrize(
    ("kind", "missing"), [("transformers", "config.json"), ("diffusers", "model_index.json")]
)
def test_a_folder_that_is_no_model_is_told_what_it_lacks(kind, missing, tmp_path):
    with pytest.raises(CheckpointError, match=f"holds no {missing}, which a model for {kind}: has"):
        open_plugin(f"{kind}:{tmp_path}")
    with pytest.raises(CheckpointError, match="none: no such folder; give the .*hf download"):
        open_plugin(f"{kind}:{tmp_path / 'none'}")


@pytest.mark.parametrize(
    ("kind", "index", "message"),
    [
        ("transformers", {"model_type": "bert"}, "the type bert, .* known are musicgen and musicg"),
        ("diffusers", {"_class_name": "FluxPipeline"}, "class FluxPipeline, .* known are AceStep"),
        ("diffusers", {"_class_name": ["my", "Own"]}, "of the class .*my.*, which makes no sound"),
        ("transformers", {"model_type": "musicgen", "auto_map": {"A": "b"}}, "comes with code"),
        ("transformers", {"model_type": "musicgen"}, "no weights here"),
    ],
)
def test_other_models_and_those_with_code_are_refused(kind, index, message, tmp_path):
    name = {"transformers": "config.json", "diffusers": "model_index.json"}[kind]
    (tmp_path / name).write_text(json.dumps(index))
    with pytest.raises(CheckpointError, match=message):
        open_plugin(f"{kind}:{tmp_path}")


def test_code_in_a_pipeline_is_never_run(copied):
    folder = copied("dance")
    (folder / "unet" / "own_unet.py").write_text("raise SystemExit('it ran')\n")
    with pytest.raises(CheckpointError, match=r"comes with code \(unet/own_unet.py\), which is"):
        open_plugin(f"diffusers:{folder}")


def test_damaged_weights_and_pickles_are_told_apart(copied):
    folder = copied("dance")
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    data = weights.read_bytes()
    weights.write_bytes(data[: len(data) // 2])
    with pytest.raises(CheckpointError, match="diffusers cannot load it .*; download it again"):
        open_plugin(f"diffusers:{folder}")
    weights.rename(weights.with_suffix(".bin"))
    with pytest.raises(CheckpointError, match="its weights are a pickle .*python -c .*save_pretra"):
        open_plugin(f"diffusers:{folder}")


def test_a_missing_package_is_named_with_the_pip_command(toys, monkeypatch):
    monkeypatch.delitem(sys.modules, "diffusers", raising=False)
    whole = builtins.__import__

    def without(name, *arguments, **options):
        if name == "diffusers":
            raise ModuleNotFoundError("No module named 'diffusers'", name="diffusers")
        return whole(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ParameterError, match="diffusers is not installed; .*pip install"):
        open_plugin(toys["dance"])


def test_the_hash_is_that_of_settings_and_weights_alone(copied):
    folder = copied("dance")
    before = hash_folder(folder)
    (folder / "README.md").write_text("changed")
    (folder / ".cache").mkdir()
    (folder / ".cache" / "x.json").write_text("{}")
    assert hash_folder(folder) == before
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\1")
    assert hash_folder(folder) != before
