"""The decoder of a codec against discriminators, at toy width."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from demiurge.bundled import CORPUS_DIR
from files.errors import ParameterError
from synth.codec_options import CodecOptions
from synth.codecs.mel_codec import MelCodecModel
from synth.dataset import open_dataset
from synth.mel import PRESETS
from synth.recipes import CODEC_RECIPES
from synth.train_codec import train_codec
from synth.train_codec_decoder import DecoderTraining
from tests.synth.test_training import CODEC, NARROW, SOUNDS, equal
from tests.synth.toy_codecs import toy_model, toy_vocoder
from tests.synth.toys import MEL
from training.checkpoint import load_training_state
from training.distributed import Distributed

OPTIONS = {**CODEC, "batch_size": 2, "discriminators": "dac"}


@pytest.fixture(scope="module")
def audio(tmp_path_factory):
    folder = tmp_path_factory.mktemp("audio")
    for name in SOUNDS:
        shutil.copy(CORPUS_DIR / f"{name}.ogg", folder)
    return folder


@pytest.fixture(autouse=True)
def narrow(monkeypatch):
    monkeypatch.setitem(PRESETS, "toy", MEL)
    for name, recipe in list(CODEC_RECIPES.items()):
        made = {key: (NARROW[key], weight) for key, (_, weight) in recipe.discriminators.items()}
        monkeypatch.setitem(CODEC_RECIPES, name, replace(recipe, discriminators=made))


def train(audio, folder, *, start=None, resume=False, **options):
    options = CodecOptions(**{**OPTIONS, "steps": 2, **options})
    return train_codec(
        audio, folder, options=options, vocoder=toy_vocoder(), start=start, resume=resume
    )


@pytest.mark.parametrize("name", CODEC_RECIPES)
def test_only_the_decoder_learns_and_the_discriminators_learn_to_tell(name, audio):
    options = CodecOptions(**{**OPTIONS, "discriminators": name, "learning_rate": 3e-3})
    training = DecoderTraining(
        open_dataset(audio, MEL), options, Distributed(), toy_model(), vocoder=toy_vocoder()
    )
    before = {key: value.clone() for key, value in training.model.state_dict().items()}
    batch = next(training.batches(0, 0))
    told = []
    for number in range(1, 31):
        torch.manual_seed(0)  # the same codebooks and the same cut
        told.append(training.step(batch, number))
    kinds = CODEC_RECIPES[name].discriminators
    assert {key for key in told[0] if key.startswith("discriminator/")} == {
        f"discriminator/{kind}" for kind in kinds
    }
    assert told[-1]["codec/mel"] < 0.9 * told[0]["codec/mel"]
    losses = [sum(v for k, v in step.items() if k.startswith("discriminator/")) for step in told]
    assert losses[-1] < losses[0]
    changed = {
        key
        for key, value in training.model.state_dict().items()
        if not torch.equal(value, before[key])
    }
    assert changed
    assert all(key.startswith("network.decoder.") for key in changed)
    measures = training.validate(training.model)
    assert next(iter(measures)) == "frechet"
    assert measures["frechet"] > 0


def test_codes_stay_as_they_were_and_stopped_training_goes_on(audio, tmp_path):
    start = toy_model()
    train(audio, tmp_path / "whole", start=start, steps=4, validate_steps=2)
    train(audio, tmp_path / "m", start=start, steps=2, validate_steps=2)
    train(audio, tmp_path / "m", start=start, steps=4, validate_steps=2, resume=True)
    states = [load_training_state(tmp_path / name) for name in ("whole", "m")]
    assert equal(*(state["trainable"] for state in states))
    made = MelCodecModel.load(tmp_path / "m")
    mel = torch.from_numpy(np.random.default_rng(0).normal(-5, 2, (1, 20, 40))).float()
    with torch.no_grad():
        assert torch.equal(made.network.encode(mel), start.network.encode(mel))
    assert made.training_summary["discriminators"] == "dac"


def test_what_does_not_fit_is_refused(audio, tmp_path):
    with pytest.raises(ParameterError, match="train the decoder of a trained codec; .* --from"):
        train(audio, tmp_path / "m")
    with pytest.raises(ParameterError, match="discriminators='cat' are not known; choose dac or"):
        CodecOptions(discriminators="cat")
    with pytest.raises(ParameterError, match="segment_frames=64 must be at least 128"):
        CodecOptions(discriminators="dac", segment_frames=64)
    assert not (tmp_path / "m").exists()
