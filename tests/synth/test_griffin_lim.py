"""Griffin-Lim, and distances of audio measured with it."""

import numpy as np
import pytest

from audio.resample import resample
from files.errors import ParameterError
from synth.griffin_lim import griffin_lim
from synth.mel import PRESETS, MelSettings, log_mel
from synth.metrics import mel_l1, multi_resolution_stft

SETTINGS = PRESETS["22k"]


@pytest.fixture(scope="module")
def tabla_22k(tabla):
    return resample(tabla, 44100, 22050)[: 86 * 256]


@pytest.fixture(scope="module")
def synthesised(tabla_22k):
    return griffin_lim(log_mel(tabla_22k, SETTINGS), SETTINGS)


def test_griffin_lim_is_as_long_as_its_frames_and_the_same_every_time(tabla_22k, synthesised):
    assert synthesised.shape == tabla_22k.shape
    assert synthesised.dtype == np.float32
    np.testing.assert_array_equal(griffin_lim(log_mel(tabla_22k, SETTINGS), SETTINGS), synthesised)
    assert not np.array_equal(
        griffin_lim(log_mel(tabla_22k, SETTINGS), SETTINGS, random_seed=1), synthesised
    )


def test_griffin_lim_gives_the_log_mel_frame_for_frame(tabla_22k, synthesised):
    wanted = log_mel(tabla_22k, SETTINGS)
    got = log_mel(synthesised, SETTINGS)
    errors = {shift: np.abs(np.roll(got, shift, axis=1) - wanted).mean() for shift in (-1, 0, 1)}
    assert errors[0] < 0.15
    assert errors[0] < 0.5 * min(errors[-1], errors[1])


def test_griffin_lim_keeps_the_envelope_in_place(tabla_22k, synthesised):
    ours, theirs = (
        np.convolve(np.abs(audio), np.ones(256) / 256, mode="same")
        for audio in (synthesised, tabla_22k)
    )
    correlation = np.correlate(ours - ours.mean(), theirs - theirs.mean(), mode="full")
    assert abs(int(correlation.argmax()) - (len(ours) - 1)) < 64


def test_more_iterations_are_nearer(tabla_22k, synthesised):
    once = griffin_lim(log_mel(tabla_22k, SETTINGS), SETTINGS, iterations=1)
    assert mel_l1(tabla_22k, synthesised, SETTINGS) < 0.5 * mel_l1(tabla_22k, once, SETTINGS)


@pytest.mark.parametrize("name", ["44k", "hifigan", "melgan"])
def test_griffin_lim_with_every_preset(tabla, name):
    settings = PRESETS[name]
    audio = resample(tabla, 44100, settings.sample_rate)[: 20 * settings.hop_length]
    synthesised = griffin_lim(log_mel(audio, settings), settings, iterations=30)
    assert len(synthesised) == len(audio)
    assert mel_l1(audio, synthesised, settings) < 0.5


def test_griffin_lim_of_silence_is_silence():
    audio = griffin_lim(np.full((80, 8), SETTINGS.silence, np.float32), SETTINGS, iterations=2)
    assert np.abs(audio).max() < 1e-3


@pytest.mark.parametrize(
    ("mel", "options", "message"),
    [
        (np.zeros((79, 8)), {}, r"log-mel of shape \(79, 8\) must be \(80, frames\)"),
        (np.zeros(80), {}, r"log-mel of shape \(80,\)"),
        (np.zeros((80, 1)), {}, "1 frames are too few for a waveform; at least 2"),
        (np.full((80, 8), np.nan), {}, "NaN or infinite"),
        (np.zeros((80, 8)), {"iterations": 0}, "iterations=0 must be a positive integer"),
    ],
)
def test_griffin_lim_refuses(mel, options, message):
    with pytest.raises(ParameterError, match=message):
        griffin_lim(mel, SETTINGS, **options)


def test_equal_recordings_are_no_distance_apart(tabla_22k):
    assert mel_l1(tabla_22k, tabla_22k, SETTINGS) == 0
    assert multi_resolution_stft(tabla_22k, tabla_22k) == 0


def test_mel_l1_of_a_gain_is_its_logarithm_in_either_base():
    noise = np.random.default_rng(0).normal(0, 0.1, 8192).astype(np.float32)
    for settings in (SETTINGS, MelSettings(log="log10")):
        assert mel_l1(noise, noise * np.float32(0.5), settings) == pytest.approx(
            np.log(2), abs=1e-4
        )


def test_distances_grow_with_noise_and_more_when_shuffled(tabla_22k, synthesised):
    rng = np.random.default_rng(0)
    noisy = [
        tabla_22k + rng.normal(0, level, len(tabla_22k)).astype(np.float32)
        for level in (0.001, 0.01)
    ]
    shuffled = synthesised.reshape(-1, 256)[rng.permutation(86)].reshape(-1)
    for distance in (lambda a, b: mel_l1(a, b, SETTINGS), multi_resolution_stft):
        assert 0 < distance(tabla_22k, noisy[0]) < distance(tabla_22k, noisy[1])
        assert distance(tabla_22k, synthesised) < 0.7 * distance(tabla_22k, shuffled)


def test_recordings_that_cannot_be_compared(tabla_22k):
    for distance in (lambda a, b: mel_l1(a, b, SETTINGS), multi_resolution_stft):
        with pytest.raises(ParameterError, match="equally long"):
            distance(tabla_22k, tabla_22k[1:])
        with pytest.raises(ParameterError, match="mono"):
            distance(tabla_22k[None], tabla_22k[None])
        with pytest.raises(ParameterError, match="NaN"):
            distance(tabla_22k, tabla_22k * np.float32(np.nan))
