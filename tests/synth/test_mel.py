"""The mel front end: the published values, blocks, silence, what it refuses."""

import math
from dataclasses import replace

import numpy as np
import pytest
import soundfile as sf
import torch

from files.errors import ParameterError
from synth.mel import PRESETS, LogMel, MelSettings, log_mel

TOY = MelSettings(sample_rate=8000, n_fft=256, hop_length=64, n_mels=20, f_max=4000.0)


@pytest.fixture
def tabla_22k(fixtures):
    """Two seconds of real tabla, float32 (44100,)."""
    return sf.read(fixtures / "tabla_22k.wav", dtype="float32")[0]


@pytest.mark.parametrize("name", ["hifigan", "melgan"])
def test_published_mels(name, tabla_22k, fixtures):
    published = np.load(fixtures / "tabla_22k_mels.npz")[name]
    mel = LogMel(PRESETS[name])(torch.from_numpy(tabla_22k)[None])[0].numpy()
    # 0.003 dB: FFTs round differently on other processors, most in a band that is nearly silent
    np.testing.assert_allclose(mel, published, atol=3e-4)
    assert np.abs(mel - published).mean() < 1e-6


@pytest.mark.parametrize("settings", [*PRESETS.values(), TOY], ids=[*PRESETS, "toy"])
@pytest.mark.parametrize("n_hops", [4, 37])
def test_whole_hops_give_as_many_frames(settings, n_hops):
    audio = torch.randn(2, n_hops * settings.hop_length)
    assert LogMel(settings)(audio).shape == (2, settings.n_mels, n_hops)


@pytest.mark.parametrize("block", [1, 7, 64, 173])
def test_blocks_equal_the_whole(block, tabla_22k, monkeypatch):
    monkeypatch.setattr("synth.mel.BLOCK_FRAMES", block)
    settings = PRESETS["22k"]
    padded = np.pad(tabla_22k, (0, 173 * 256 - len(tabla_22k)))
    whole = LogMel(settings)(torch.from_numpy(padded)[None])[0].numpy()
    np.testing.assert_allclose(log_mel(tabla_22k, settings), whole, atol=1e-5)


@pytest.mark.parametrize(
    ("n_samples", "frames"), [(0, 1), (1, 1), (64, 1), (65, 2), (128, 2), (6400, 100)]
)
def test_what_is_left_over_is_one_more_frame(n_samples, frames):
    mel = log_mel(np.full(n_samples, 0.1, np.float32), TOY)
    assert mel.shape == (20, frames)
    assert np.isfinite(mel).all()


@pytest.mark.parametrize("name", PRESETS)
def test_silence_is_the_lowest_value_and_has_a_finite_gradient(name):
    settings = PRESETS[name]
    audio = torch.zeros(1, 8 * settings.hop_length, requires_grad=True)
    mel = LogMel(replace(settings, power_floor=0.0))(audio)
    np.testing.assert_allclose(mel.detach(), settings.silence, rtol=1e-6)
    mel.sum().backward()
    assert audio.grad.isfinite().all()
    assert settings.silence == {"ln": math.log(1e-5), "log10": -5.0}[settings.log]


def test_a_sine_is_loudest_in_its_band():
    seconds = np.arange(8000) / 8000
    for hertz in (300, 1000, 2500):
        mel = log_mel(np.sin(2 * np.pi * hertz * seconds).astype(np.float32), TOY)
        centres = (LogMel(TOY).filters @ torch.linspace(0, 4000, 129)) / LogMel(TOY).filters.sum(1)
        loudest = float(centres[int(mel.mean(1).argmax())])
        assert abs(loudest - hertz) < 160


def test_ten_times_louder_is_a_step_of_the_logarithm(tabla_22k):
    quiet = replace(PRESETS["22k"], floor=1e-12)
    for settings, step in ((quiet, math.log(10)), (replace(quiet, log="log10"), 1.0)):
        mel, louder = (
            LogMel(settings)(torch.from_numpy(gain * tabla_22k)[None]) for gain in (0.05, 0.5)
        )
        np.testing.assert_allclose(louder - mel, step, atol=2e-3)


@pytest.mark.parametrize("name", PRESETS)
def test_expand_is_the_inverse_of_compress(name):
    front_end = LogMel(PRESETS[name])
    mel = torch.rand(1, PRESETS[name].n_mels, 5) + 1e-3
    torch.testing.assert_close(front_end.expand(front_end.compress(mel)), mel)


def test_audio_too_short_to_be_reflected_raises():
    with pytest.raises(
        ParameterError, match="96 samples are too few for a mel spectrogram; at least 97 are needed"
    ):
        LogMel(TOY)(torch.zeros(1, 96))
    assert LogMel(TOY)(torch.zeros(1, 97)).shape == (1, 20, 1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hop_length": 0}, "hop_length=0 must be an integer from 1 to 16384"),
        ({"n_mels": 2.5}, "n_mels=2.5 must be an integer"),
        ({"sample_rate": True}, "sample_rate=True must be an integer from 1 to 768000"),
        (
            {"hop_length": 2048},
            "hop_length=2048 must be at most n_fft=1024, and an even number less",
        ),
        ({"hop_length": 255}, "hop_length=255 must be at most n_fft=1024, and an even number less"),
        ({"f_max": 12000.0}, "bands of 0.0 to 12000.0 Hz must rise and end at 11025.0 Hz"),
        ({"f_min": 11025.0}, "bands of 11025.0 to 11025.0 Hz must rise"),
        ({"f_min": -1.0}, "f_min=-1.0 must be a number from 0 to"),
        ({"f_max": math.nan}, "f_max=nan must be a number from 0 to"),
        ({"log": "log2"}, "log='log2' must be ln or log10"),
        ({"floor": 0.0}, "floor=0.0 must be positive"),
        ({"power_floor": math.nan}, "power_floor=nan must be a number from 0 to 1"),
    ],
)
def test_impossible_settings_raise(options, message):
    with pytest.raises(ParameterError, match=message):
        MelSettings(**options)


def test_settings_come_back_from_a_dict_and_unknown_ones_are_refused():
    assert MelSettings.from_dict(TOY.to_dict()) == TOY
    with pytest.raises(ParameterError, match="mel settings window are unknown or missing"):
        MelSettings.from_dict({**TOY.to_dict(), "window": "hann"})
    with pytest.raises(ParameterError, match="mel settings log, n_fft are unknown or missing"):
        MelSettings.from_dict(
            {name: value for name, value in TOY.to_dict().items() if name not in ("log", "n_fft")}
        )


def test_settings_that_differ_are_named_with_both_values():
    TOY.check_matches(MelSettings.from_dict(TOY.to_dict()), mine="a", theirs="b")
    with pytest.raises(
        ParameterError,
        match="mel f_max is 11025.0 in the generator and 8000.0 in the vocoder; use two",
    ):
        PRESETS["22k"].check_matches(PRESETS["hifigan"], mine="the generator", theirs="the vocoder")
