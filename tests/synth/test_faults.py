"""Broken audio is recognised, real audio is not."""

import numpy as np
import pytest

from audio.read import read_mono
from audio.resample import resample
from demiurge.bundled import CORPUS_DIR
from synth.faults import audio_fault
from synth.mel import PRESETS, MelSettings

MEL = MelSettings()
RATE = MEL.sample_rate


def recording(name, rate=RATE):
    audio, info = read_mono(CORPUS_DIR / name)
    return resample(audio, info.sample_rate, rate)


def noise(seconds, scale=0.1):
    return np.random.default_rng(0).normal(0, scale, int(seconds * RATE)).astype(np.float32)


@pytest.mark.parametrize(
    ("audio", "fault"),
    [
        (np.zeros(2 * RATE, np.float32), "silent"),
        (noise(2, 1e-4), "silent"),
        (np.concatenate([noise(0.1), noise(2, 1e-4)]), "silent"),  # a click, then nothing
        (np.concatenate([noise(0.5), noise(2, 1e-4)]), None),
        (noise(2), None),
        (noise(2) + np.float32(0.05), "constant offset"),
        (np.full(2 * RATE, 0.5, np.float32), "constant offset"),
        (np.sin(np.arange(2 * RATE) * 0.1).astype(np.float32), "stuck"),
        (np.tile(noise(256 / RATE), 200), "stuck"),  # the same in every frame
        (np.tile(noise(86 * 256 / RATE), 6), "stuck"),  # a second, again and again
        (np.concatenate([noise(8), np.tile(noise(256 / RATE), 800)]), "stuck"),  # from somewhere on
    ],
    ids=lambda value: None if isinstance(value, np.ndarray) else value,
)
def test_broken_audio_is_recognised(audio, fault):
    assert audio_fault(audio, MEL) == fault


@pytest.mark.parametrize("preset", ["22k", "44k", "melgan"])
def test_real_recordings_are_not_broken(preset):
    settings = PRESETS[preset]
    for name in (
        "loop_amen",
        "loop_garzul",
        "ambi_drone",
        "ambi_glass_hum",
        "bass_voxy_c",
        "guit_em9",
        "vinyl_hiss",
    ):
        assert audio_fault(recording(f"{name}.ogg", settings.sample_rate), settings) is None
