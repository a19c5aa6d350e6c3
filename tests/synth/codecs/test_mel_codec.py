"""Our own codec at toy width: lengths, chunks, checkpoints, and what it refuses."""

import json

import numpy as np
import pytest
import torch

from files.errors import AudioError, CheckpointError, ParameterError
from synth.codecs.mel_codec import CHUNK_FRAMES, MelCodec, MelCodecModel
from synth.codecs.mel_codec_network import MelCodecConfig
from synth.mel import MelSettings
from synth.open_codec import open_codec
from synth.vocoder import Vocoder
from tests.synth.toy_codecs import HOP, SIZES, save_toy, toy_codec, toy_model, toy_vocoder
from tests.synth.toys import MEL
from training.checkpoint import load_weights


def noise(n_samples, random_seed=0):
    rng = np.random.default_rng(random_seed)
    loudness = np.repeat(rng.uniform(0.01, 0.3, -(-n_samples // 512)), 512)[:n_samples]
    return (rng.standard_normal(n_samples) * loudness).astype(np.float32)


@pytest.fixture(scope="module")
def codec():
    return toy_codec()


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("codec") / "my.codec"
    save_toy(folder)
    return folder


@pytest.mark.parametrize("n_samples", [1, 2, HOP - 1, HOP, HOP + 1, 3 * HOP + 1, 7000])
def test_every_length_comes_back(n_samples, codec):
    audio = noise(n_samples)
    codes = codec.encode(audio)
    assert codes.shape == (codec.n_frames(n_samples), 3)
    assert codes.dtype == np.int64
    for frames in (codes, codes[:, :1], codec.latents(audio)):
        made = codec.decode(frames, n_samples=n_samples)
        assert (made.shape, made.dtype) == ((1, n_samples), np.float32)
        assert np.isfinite(made).all()


def test_facts_are_those_of_sizes_and_mel(codec):
    assert (codec.sample_rate, codec.channels, codec.hop_length) == (8000, 1, HOP)
    assert (codec.n_latents, codec.n_codebooks, codec.codebook_size) == (8, 3, 16)
    assert codec.frame_rate == 8000 / HOP


def test_long_sounds_are_coded_in_chunks_as_in_one(codec, monkeypatch):
    audio = noise(2 * CHUNK_FRAMES * HOP + 700)
    latents = codec.latents(audio)
    made = codec.decode(latents, n_samples=len(audio))
    assert codec.n_frames(len(audio)) > 2 * CHUNK_FRAMES
    monkeypatch.setattr("synth.codecs.mel_codec.CHUNK_FRAMES", 4 * CHUNK_FRAMES)
    np.testing.assert_allclose(codec.latents(audio), latents, rtol=0, atol=1e-5)
    np.testing.assert_allclose(codec.decode(latents, n_samples=len(audio)), made, rtol=0, atol=1e-5)


def test_a_frame_depends_on_its_surroundings_only(codec):
    audio = noise(40 * HOP)
    changed = audio.copy()
    changed[20 * HOP : 21 * HOP] = 0
    differs = (codec.latents(audio) != codec.latents(changed)).any(1)
    context = codec.network.encoder.context + 1  # and the frame next to it, whose window is wider
    assert differs[20]
    assert not differs[: 20 - context].any()
    assert not differs[21 + context :].any()


def test_the_same_sound_gives_the_same_bytes(saved):
    audio = noise(5000)
    first, second = (open_codec(saved) for _ in range(2))
    codes = first.encode(audio)
    assert np.array_equal(codes, second.encode(audio))
    made = first.decode(codes, n_samples=5000)
    assert made.tobytes() == second.decode(codes, n_samples=5000).tobytes()


def test_a_codec_leaves_what_it_is_made_of_as_it_is(tmp_path):
    model, vocoder = toy_model().train(), toy_vocoder()
    MelCodec(model, vocoder, name="codec toy")
    assert model.network.training
    vocoder.save(tmp_path)
    assert Vocoder.load(tmp_path).config == vocoder.config


def test_saved_and_loaded_codec_is_the_same(saved):
    loaded = open_codec(saved)
    assert isinstance(loaded, MelCodec)
    assert (loaded.name, loaded.licence) == ("codec my.codec", "unknown")
    assert loaded.hash == toy_codec().hash != toy_codec(1).hash
    latents = toy_codec().latents(noise(3000))
    np.testing.assert_array_equal(loaded.latents(noise(3000)), latents)
    assert MelCodecModel.load(saved).training_summary == {"steps": 1}


@pytest.mark.parametrize(("dtype", "error"), [(torch.float16, 0.01), (torch.int8, 0.1)])
def test_stored_weights_change_latents_little(dtype, error, tmp_path):
    toy_model().save(tmp_path, dtype=dtype)
    toy_vocoder().save(tmp_path / "vocoder")
    audio = noise(5000)
    whole = toy_codec().latents(audio)
    assert 0 < np.abs(open_codec(tmp_path).latents(audio) - whole).mean() < error * whole.std()
    stored = load_weights(tmp_path)
    assert stored["network.quantiser.codebooks.0.entries"].dtype == torch.float16


def test_the_vocoder_may_lie_beside_the_codec(tmp_path):
    toy_model().save(tmp_path / "codec")
    toy_vocoder().save(tmp_path / "vocoder")
    made = open_codec(tmp_path / "codec").decode(np.zeros((2, 3), int), n_samples=2 * HOP)
    np.testing.assert_array_equal(
        made, toy_codec().decode(np.zeros((2, 3), int), n_samples=2 * HOP)
    )


def test_a_codec_without_its_vocoder_says_where_it_is_looked_for(tmp_path):
    toy_model().save(tmp_path / "codec")
    with pytest.raises(CheckpointError, match=r"vocoder: no model here \(no config.json\)"):
        open_codec(tmp_path / "codec")


def test_another_mel_than_the_vocoders_is_refused(tmp_path):
    toy_model().save(tmp_path)
    other = MelSettings(sample_rate=8000, n_fft=256, hop_length=64, n_mels=20, f_max=3000.0)
    toy_vocoder(other).save(tmp_path / "vocoder")
    with pytest.raises(ParameterError, match=r"mel f_max is 4000.0 in codec .* and 3000.0 in its"):
        open_codec(tmp_path)


@pytest.mark.parametrize(
    ("audio", "message"),
    [
        (np.zeros(0, np.float32), "0 samples cannot be encoded by codec toy"),
        (np.zeros((2, 900), np.float32), r"audio of shape \(2, 900\) does not fit codec toy"),
        (np.full(900, np.nan, np.float32), "NaN or infinite samples cannot be encoded"),
    ],
)
def test_audio_that_does_not_fit_is_refused(audio, message, codec):
    with pytest.raises(AudioError, match=message):
        codec.encode(audio)


@pytest.mark.parametrize(
    ("frames", "n_samples", "message"),
    [
        (np.zeros((4, 8), np.float32), 3 * HOP, "4 frames of codec toy cannot give 384 samples"),
        (np.zeros((4, 8), np.float32), 0, "cannot give 0 samples"),
        (np.zeros((4, 7), np.float32), 4 * HOP, r"latents of shape \(4, 7\) are not codec toy's"),
        (np.full((4, 8), np.nan, np.float32), 4 * HOP, "hold NaN or infinite"),
        (np.full((4, 3), 16), 4 * HOP, "codes from 16 to 16 must be from 0 to 15"),
        (np.full((4, 4), 1), 4 * HOP, r"codes of shape \(4, 4\) are not codec toy's"),
    ],
)
def test_frames_that_do_not_fit_are_refused(frames, n_samples, message, codec):
    with pytest.raises(ParameterError, match=message):
        codec.decode(frames, n_samples=n_samples)


def test_more_codebooks_than_there_are_are_refused(codec):
    with pytest.raises(ParameterError, match="n_codebooks=4 must be from 1 to 3"):
        codec.encode(noise(900), 4)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("sizes", "width"), 8, "do not fit .*has shape"),
        (("sizes", "width"), 10**9, "width=1000000000 must be .* to 16384"),
        (("sizes", "n_codebooks"), 2, "do not fit"),
        (("sizes", "n_codebooks"), 10**9, "n_codebooks=1000000000 must be .* to 64"),
        (("sizes", "codebook_size"), 1, "codebook_size=1 must be .* from 2"),
        (("sizes", "stride"), 0, "stride=0 must be an integer from 1"),
        (("sizes", "decoder_layers"), 2, "do not fit .*is missing"),
        (("sizes", "colour"), 1, "unknown 'colour'; known are stride"),
        (("mel", "n_mels"), 21, "do not fit .*has shape"),
        (("mel", "colour"), 1, "mel settings colour are unknown or missing"),
        (("vocoder",), "../..", r"vocoder='../..' must be the name of a folder"),
        (("vocoder",), 3, "damaged"),
        (("kind",), "vocoder", "holds a vocoder, not a codec"),
    ],
)
def test_damaged_configs_are_refused(path, value, message, saved, tmp_path):
    config = json.loads((saved / "config.json").read_text())
    *folders, last = path
    part = config
    for name in folders:
        part = part[name]
    part[last] = value
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "model.safetensors").write_bytes((saved / "model.safetensors").read_bytes())
    with pytest.raises(CheckpointError, match=message):
        MelCodecModel.load(tmp_path)


def test_sizes_are_checked():
    with pytest.raises(ParameterError, match="encoder_layers=0 must be an integer from 1 to 128"):
        MelCodecConfig(**{**SIZES, "encoder_layers": 0})
    assert MEL.hop_length * MelCodecConfig(**SIZES).stride == HOP
