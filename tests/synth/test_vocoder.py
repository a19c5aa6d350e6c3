"""Vocos, and every vocoder's chunks and checkpoint."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from audio.read import read_mono
from audio.resample import resample
from demiurge.bundled import CORPUS_DIR
from files.errors import CheckpointError, ParameterError
from synth.architectures import ARCHITECTURES
from synth.mel import MelSettings, log_mel
from synth.vocoder import Vocoder
from synth.vocos import PUBLISHED, SMALL, Vocos, VocosConfig
from synth.weight_norm import add_weight_norm
from tests.checkpoints import load_checkpoint
from tests.synth.toys import MEL, TOY
from training.checkpoint import WEIGHTS, save_checkpoint

VOCOS = {"dim": 16, "intermediate_dim": 32, "n_layers": 1}
VARIANTS = [*TOY.items(), ("vocos", {**VOCOS, "prior": True, "refinements": 3})]
NAMES = [*TOY, "vocos-prior"]


def toy(architecture="vocos-small", config=None, mel=MEL):
    """A toy vocoder whose output is loud enough to be compared."""
    torch.manual_seed(0)
    vocoder = Vocoder(architecture, mel, config=config or TOY[architecture], training={"steps": 3})
    for name, parameter in vocoder.named_parameters():
        if parameter.ndim > 1:
            nn.init.normal_(parameter, std=0.1)
        elif name.endswith("head.bias"):
            nn.init.normal_(parameter, std=0.3)
    return vocoder.eval()


@pytest.fixture(scope="module")
def music():
    """Ten seconds of a guitar at 8 kHz."""
    audio, info = read_mono(CORPUS_DIR / "guit_em9.ogg")
    return resample(audio, info.sample_rate, MEL.sample_rate)


@pytest.fixture(scope="module")
def music_mel(music):
    return log_mel(music, MEL)


@pytest.mark.parametrize(("architecture", "config"), VARIANTS, ids=NAMES)
@pytest.mark.parametrize("chunk", [1, 40, 128])
def test_chunks_equal_the_whole(architecture, config, chunk, music_mel, monkeypatch):
    vocoder = toy(architecture, config)
    mel = music_mel[:, 300:529]
    if chunk == 1:
        mel = mel[:, :50]
    with torch.inference_mode():
        whole = vocoder(torch.from_numpy(mel)[None])[0, 0].numpy()
    monkeypatch.setattr("synth.vocoder.CHUNK_FRAMES", chunk)
    audio = vocoder.synthesise(mel)
    assert audio.dtype == np.float32
    assert audio.shape == (mel.shape[1] * 64,)
    assert np.abs(whole).max() > 1e-3
    np.testing.assert_allclose(audio, whole, atol=2e-4 * np.abs(whole).max())


@pytest.mark.parametrize(("architecture", "config"), VARIANTS, ids=NAMES)
@pytest.mark.parametrize("frames", [1, 2, 3])
def test_the_shortest_spectrograms(architecture, config, frames, music_mel):
    audio = toy(architecture, config).synthesise(music_mel[:, 300 : 300 + frames])
    assert audio.shape == (frames * 64,)
    assert np.isfinite(audio).all()


@pytest.mark.parametrize("architecture", TOY)
def test_a_row_does_not_depend_on_its_batch_and_silence_is_finite(architecture, music_mel):
    vocoder = toy(architecture)
    mel = torch.from_numpy(
        np.stack([music_mel[:, 40:90], np.full((20, 50), MEL.silence, np.float32)])
    )
    with torch.inference_mode():
        both = vocoder(mel)
        alone = vocoder(mel[1:])
    torch.testing.assert_close(both[1:], alone, atol=1e-5, rtol=1e-4)
    assert both.isfinite().all()


def test_published_size_of_vocos():
    published = Vocos(MelSettings(n_mels=100, sample_rate=24000, f_max=12000.0), PUBLISHED)
    assert sum(p.numel() for p in published.parameters()) / 1e6 == pytest.approx(13.5, abs=0.1)
    assert (SMALL.prior, SMALL.refinements, PUBLISHED.prior, PUBLISHED.refinements) == (
        True,
        16,
        False,
        0,
    )


@pytest.mark.parametrize("architecture", TOY)
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float32, 0.0), (torch.float16, 0.05), (torch.int8, 0.2)]
)
def test_save_and_load_give_the_same_audio(architecture, dtype, tolerance, tmp_path, music_mel):
    vocoder = toy(architecture)
    if vocoder.network.weight_norm:
        add_weight_norm(vocoder.network)
    vocoder.save(tmp_path / "m", dtype=dtype)
    stored = {tensor.dtype for tensor in load_file(tmp_path / "m" / WEIGHTS).values()}
    assert stored == ({dtype, torch.float32} if dtype == torch.int8 else {dtype})
    loaded = Vocoder.load(tmp_path / "m")
    assert (loaded.architecture, loaded.mel, loaded.training_summary) == (
        architecture,
        MEL,
        {"steps": 3},
    )
    assert {p.dtype for p in loaded.parameters()} == {torch.float32}
    assert not loaded.training
    expected = vocoder.synthesise(music_mel[:, :60])
    audio = loaded.synthesise(music_mel[:, :60])
    np.testing.assert_allclose(audio, expected, atol=max(tolerance, 1e-6) * np.abs(expected).max())


def test_save_leaves_the_vocoder_as_it_is(tmp_path):
    vocoder = toy("melgan")
    add_weight_norm(vocoder.network)
    names = list(vocoder.state_dict())
    vocoder.save(tmp_path / "m", dtype=torch.float16)
    assert list(vocoder.state_dict()) == names
    assert next(vocoder.parameters()).dtype == torch.float32


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 99}, "version 99, this Demiurge knows versions up to 1; update"),
        ({"version": "1"}, "version=.* must be an integer"),
        ({"kind": "generator"}, "holds a generator, not a vocoder; give another model"),
        (
            {"architecture": "wavenet"},
            "vocoder 'wavenet' is not known; choose one of vocos-small, vocos, hifigan-v1",
        ),
        ({"architecture": ["vocos"]}, "damaged: architecture.* must be text"),
        ({"sizes": {**VOCOS, "dim": 24}}, "do not fit .network.embed.weight has shape"),
        ({"sizes": {**VOCOS, "dim": 0}}, "dim=0 must be an integer from 1 to 16384"),
        ({"sizes": {**VOCOS, "dim": 16.5}}, "m: "),
        ({"sizes": {**VOCOS, "dim": 1 << 70}}, "m: "),
        ({"sizes": {**VOCOS, "dim": 1 << 40}}, "m: "),
        (
            {"sizes": {**VOCOS, "code": "x"}},
            "m: unknown 'code'; known are dim, intermediate_dim",
        ),
        ({"sizes": [1]}, "damaged: sizes.* must be an object"),
        ({"mel": {}}, "mel settings .* are unknown or missing"),
        ({"mel": 3}, "damaged: mel=3 must be an object"),
        ({"mel": {**MEL.to_dict(), "hop_length": 63}}, "hop_length=63 must be"),
        (
            {"mel": {**MEL.to_dict(), "n_mels": 1 << 50}},
            "n_mels=1125899906842624 must be",
        ),
        ({"mel": {**MEL.to_dict(), "n_mels": 24}}, "do not fit .network.embed.weight has shape"),
        ({"mel": {**MEL.to_dict(), "f_max": "4000"}}, "f_max='4000' must be a number from 0"),
    ],
)
def test_damaged_newer_and_hostile_configs_are_refused(change, message, tmp_path):
    toy().save(tmp_path / "m")
    config = tmp_path / "m" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), **change}))
    with pytest.raises(CheckpointError, match=f"(?s){message}"):
        Vocoder.load(tmp_path / "m")


@pytest.mark.parametrize("missing", ["architecture", "sizes", "mel", "training", "kind", "version"])
def test_config_without_a_part_is_refused(missing, tmp_path):
    toy().save(tmp_path / "m")
    config = tmp_path / "m" / "config.json"
    values = json.loads(config.read_text())
    values.pop(missing)
    config.write_text(json.dumps(values))
    with pytest.raises(CheckpointError, match=f"damaged: {missing} is missing"):
        Vocoder.load(tmp_path / "m")


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "[" * 200_000, "\x00\xff"])
def test_config_that_is_no_config_is_refused(text, tmp_path):
    toy().save(tmp_path / "m")
    (tmp_path / "m" / "config.json").write_text(text)
    with pytest.raises(
        CheckpointError, match=r"config.json: damaged: .*; train the model again or restore a copy"
    ):
        Vocoder.load(tmp_path / "m")


def test_damaged_or_foreign_weights_are_refused(tmp_path):
    vocoder = toy()
    vocoder.save(tmp_path / "m")
    config, tensors = load_checkpoint(tmp_path / "m", kind="vocoder")
    tensors = {
        name: tensor.clone() for name, tensor in tensors.items()
    }  # those of safetensors lie in the file
    (tmp_path / "m" / "model.safetensors").write_bytes(b"\xff" * 100)
    with pytest.raises(CheckpointError, match=r"model.safetensors: damaged"):
        Vocoder.load(tmp_path / "m")
    kept = {name: config[name] for name in ("architecture", "sizes", "mel", "training")}
    for changed in (
        {**tensors, "more": torch.zeros(1)},
        {n: t for n, t in tensors.items() if n != "head.bias"},
    ):
        save_checkpoint(tmp_path / "m", kind="vocoder", config=kept, tensors=changed)
        with pytest.raises(
            CheckpointError, match="(?s)its config and weights do not fit .*train the model again"
        ):
            Vocoder.load(tmp_path / "m")
    (tmp_path / "m" / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"model.safetensors: cannot be read .No such file"):
        Vocoder.load(tmp_path / "m")
    with pytest.raises(CheckpointError, match="no model here .*train one, or check the name"):
        Vocoder.load(tmp_path / "nowhere")


@pytest.mark.parametrize("architecture", ["wavenet", "", "VOCOS", "hifigan"])
def test_unknown_architecture_is_refused(architecture):
    with pytest.raises(
        ParameterError,
        match=f"vocoder '{architecture}' is not known; choose one of {', '.join(ARCHITECTURES)}",
    ):
        Vocoder(architecture, MEL)


@pytest.mark.parametrize(
    ("architecture", "config", "message"),
    [
        (
            "vocos",
            {"width": 3},
            "unknown 'width'; known are dim, intermediate_dim, n_layers",
        ),
        ("vocos", {"dim": 0}, "dim=0 must be an integer from 1 to 16384"),
        ("vocos", {"refinements": -1}, "refinements=-1 must be an integer from 0 to 256"),
        ("vocos", {"dim": "many"}, "dim='many' must be an integer from 1 to"),
        (
            "melgan",
            {"channels": 4},
            "melgan gives 256 samples a frame, the mel's hop_length is 64; choose rates",
        ),
        (
            "hifigan-v3",
            {"channels": 16},
            "hifigan-v3 gives 256 samples a frame, the mel's hop_length is 64",
        ),
    ],
)
def test_sizes_that_do_not_fit_are_refused(architecture, config, message):
    with pytest.raises(ParameterError, match=message):
        Vocoder(architecture, MEL, config=config)
    assert VocosConfig(**VOCOS).dim == 16


@pytest.mark.parametrize(
    ("mel", "message"),
    [
        (
            np.zeros((20, 0), np.float32),
            r"shape \(20, 0\) cannot be vocoded; it must be \(20, frames\), frames > 0",
        ),
        (np.zeros((80, 9), np.float32), r"shape \(80, 9\) cannot be vocoded"),
        (np.zeros(20, np.float32), r"shape \(20,\) cannot be vocoded"),
        (np.full((20, 9), np.nan, np.float32), "holds NaN or infinite values"),
        (np.full((20, 9), np.inf, np.float32), "holds NaN or infinite values"),
    ],
)
def test_spectrograms_that_cannot_be_vocoded(mel, message):
    with pytest.raises(ParameterError, match=message):
        toy().synthesise(mel)


def test_any_precision_of_spectrogram_is_taken(music_mel):
    vocoder = toy()
    mel = music_mel[:, :40]
    np.testing.assert_array_equal(
        vocoder.synthesise(mel.astype(np.float64)), vocoder.synthesise(mel)
    )
