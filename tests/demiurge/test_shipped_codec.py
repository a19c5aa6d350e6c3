"""The codec that comes with Demiurge, on bundled sounds that it was not trained on."""

import json

import numpy as np
import pytest

from audio.read import read_mono
from audio.resample import resample
from demiurge.bundled import CORPUS_DIR
from demiurge.shipped import WEIGHTS, shipped_model
from scripts.train.codec_figures import figures
from synth.mel import log_mel
from synth.open_codec import open_codec


@pytest.fixture(scope="module")
def codec():
    return open_codec(shipped_model("codec"))


@pytest.fixture(scope="module")
def measured(codec):
    return figures(codec)


@pytest.fixture(scope="module")
def training():
    return json.loads((shipped_model("codec") / "config.json").read_text())["training"]


def test_it_has_the_shipped_vocoder_and_a_licence(codec):
    assert (codec.licence, codec.sample_rate) == ("MIT", 22050)
    assert not (shipped_model("codec") / "vocoder").exists()
    assert (WEIGHTS / "vocoder" / "config.json").is_file()


def test_reconstruction_is_as_recorded_when_it_was_shipped(measured, training):
    recorded = training["bundled_mel_l1"]
    assert {str(number) for number in measured.mel_l1} == recorded["stored"].keys()
    for number, value in measured.mel_l1.items():
        assert value == pytest.approx(recorded["stored"][str(number)], rel=0.02)
        assert value == pytest.approx(recorded["trained"][str(number)], rel=0.02)


def test_fewer_codebooks_are_worse(measured):
    numbers = [1, 2, 4, 8, 16]
    distances = [measured.mel_l1[number] for number in numbers]
    assert distances == sorted(distances, reverse=True)
    assert measured.mel_l1[0] < distances[-1]  # latents


def test_one_codebook_says_more_than_the_mean_spectrum(codec):
    audio, info = read_mono(CORPUS_DIR / "loop_amen.ogg")
    audio = resample(audio, info.sample_rate, codec.sample_rate)
    mel = log_mel(audio, codec.mel)
    made = codec.decoded_mel(codec.restore(codec.encode(audio, 1)))[:, : mel.shape[1]]
    mean = codec.network.mean.numpy()[:, None]
    assert np.abs(made - mel).mean() < 0.5 * np.abs(mean - mel).mean()


def test_every_codebook_is_used(measured, training, codec):
    """In two minutes of music for validation, as recorded; and in these sounds, which are alike."""
    size = codec.codebook_size
    recorded = [training["measures"][f"perplexity_{n + 1}"] for n in range(codec.n_codebooks)]
    assert min(recorded) > 0.2 * size
    assert len(measured.perplexities) == codec.n_codebooks
    assert min(measured.perplexities) > 0.03 * size


def test_a_drum_loop_comes_back_to_the_sample(codec):
    audio, info = read_mono(CORPUS_DIR / "loop_amen.ogg")
    audio = resample(audio, info.sample_rate, codec.sample_rate)[:20001]
    made = codec.decode(codec.encode(audio), n_samples=len(audio))[0]
    assert made.shape == audio.shape
    loudness = [np.sqrt(np.mean(sound[4000:16000] ** 2)) for sound in (audio, made)]
    assert loudness[1] == pytest.approx(loudness[0], rel=0.3)
    again = codec.decode(codec.encode(audio), n_samples=len(audio))[0]
    assert made.tobytes() == again.tobytes()
