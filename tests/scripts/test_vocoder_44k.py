"""What scripts/make/vocoder_44k.py keeps of a vocoder."""

import numpy as np
import torch

from audio.resample import resample
from demiurge.shipped import shipped_model
from scripts.make.vocoder_44k import WIDE, mirrored, mixtures, widen
from synth.mel import MelSettings, log_mel
from synth.metrics import mel_l1
from synth.vocoder import Vocoder


def test_mirrored_bins_begin_as_they_were():
    bins = torch.arange(4.0)
    assert mirrored(bins).tolist() == [0, 1, 2, 3, 2, 1, 0]


def test_old_bands_are_mixtures_of_new_ones_at_the_same_frequency():
    bands = mixtures(MelSettings(), WIDE)
    assert bands.shape == (80, 128)
    torch.testing.assert_close(bands.sum(1), torch.ones(80))
    rng = np.random.default_rng(0)
    noise = (0.1 * rng.standard_normal(22050)).astype(np.float32)
    old = log_mel(noise, MelSettings()).mean(axis=1)
    new = log_mel(resample(noise, 22050, 44100), WIDE).mean(axis=1)
    mixed = bands.numpy() @ new - np.log(2)
    assert np.abs(mixed - old)[:76].max() < 0.25  # the last are at the end of what is resampled


def test_a_widened_vocoder_sounds_before_it_is_trained(tmp_path):
    vocoder = Vocoder.load(shipped_model("vocoder"))
    widen(vocoder).save(tmp_path / "wide")
    wide = Vocoder.load(tmp_path / "wide")
    assert wide.mel == WIDE
    assert wide.config == vocoder.config
    times = np.arange(WIDE.hop_length * 100) / WIDE.sample_rate
    tones = sum(np.sin(2 * np.pi * f * times) / n for n, f in enumerate((220, 660, 3300), start=1))
    audio = (0.2 * tones).astype(np.float32)
    copy = wide.synthesise(log_mel(audio, WIDE))
    torch.manual_seed(0)
    untrained = Vocoder(wide.architecture, WIDE).eval().synthesise(log_mel(audio, WIDE))
    assert mel_l1(audio, copy, WIDE) < 0.9 * mel_l1(audio, untrained, WIDE)
