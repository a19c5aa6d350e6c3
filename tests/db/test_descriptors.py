import json

import librosa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from db.analyse import describe_signal
from db.descriptors.frames import mel_filterbank
from db.descriptors.mfcc import add_deltas
from db.settings import DescriptorSettings

START = DescriptorSettings(window_centre="start")
SPAN = DescriptorSettings()


def descriptors_of(samples: np.ndarray, settings: DescriptorSettings) -> np.ndarray:
    return describe_signal([samples], settings).frames


def librosa_descriptors(samples: np.ndarray, **options) -> np.ndarray:
    mfcc = librosa.feature.mfcc(y=samples, sr=44100, n_mfcc=13, hop_length=1024, n_fft=2048, **options)
    return np.concatenate([mfcc, librosa.feature.delta(mfcc), librosa.feature.delta(mfcc, order=2)]).T


@pytest.mark.parametrize(("rate", "n_fft", "n_mels"), [(44100, 2048, 128), (22050, 1024, 80), (1500, 512, 20)])
def test_filterbank_equals_librosa(rate, n_fft, n_mels):
    expected = librosa.filters.mel(sr=rate, n_fft=n_fft, n_mels=n_mels)
    np.testing.assert_allclose(mel_filterbank(rate, n_fft, n_mels), expected, atol=1e-8)


def test_start_windows_equal_librosa_on_real_audio(tabla):
    np.testing.assert_allclose(descriptors_of(tabla, START), librosa_descriptors(tabla), atol=1e-3)


def test_span_windows_equal_librosa_on_shifted_audio(tabla):
    # a window centred on the span's middle starts 512 samples before the span: librosa without centring, padded by hand
    padded = np.pad(tabla, (512, 2048))
    expected = librosa_descriptors(padded, center=False)
    ours = descriptors_of(tabla, SPAN)
    assert len(ours) == 44  # 44 100 samples are 43 hops and a part
    np.testing.assert_allclose(ours[:, :13], expected[:44, :13], atol=1e-3)


def test_original_descriptor_file_is_reproduced(tabla, fixtures):
    document = json.loads((fixtures / "tabla_44k_demiurge.json").read_text())
    expected = np.array([document[name] for name in START.names]).T
    np.testing.assert_allclose(descriptors_of(tabla, START)[: len(expected)], expected, atol=1e-3)
    assert document["_sample"] == [1024 * i for i in range(len(expected))]


@settings(deadline=None, max_examples=30)
@given(n_samples=st.integers(1, 6000))
def test_every_length_gives_one_row_per_unit(n_samples):
    samples = np.sin(np.arange(n_samples, dtype=np.float32) / 20)
    assert descriptors_of(samples, SPAN).shape == (-(-n_samples // 1024), 39)
    assert descriptors_of(samples, START).shape == (-(-n_samples // 1024), 39)
    assert np.isfinite(descriptors_of(samples, SPAN)).all()


def test_silence_is_finite_and_constant():
    rows = descriptors_of(np.zeros(5000, np.float32), SPAN)
    assert np.isfinite(rows).all()
    np.testing.assert_allclose(rows[:, 1:], 0, atol=1e-3)
    np.testing.assert_allclose(rows[:, 0], -100 * np.sqrt(128), rtol=1e-5)  # -100 dB in every band


def test_deltas_of_a_ramp_are_its_slope():
    ramp = 3 * np.arange(20, dtype=np.float32)[:, None]
    rows = add_deltas(ramp, width=9)
    np.testing.assert_allclose(rows[:, 1], 3, atol=1e-4)
    np.testing.assert_allclose(rows[:, 2], 0, atol=1e-4)


@pytest.mark.parametrize(("steps", "width"), [(8, 7), (7, 7), (5, 5), (4, 3), (3, 3)])
def test_short_sequence_uses_widest_odd_width_that_fits(steps, width):
    static = np.random.default_rng(0).normal(size=(steps, 2)).astype(np.float32)
    expected = librosa.feature.delta(static.T, width=width).T
    np.testing.assert_allclose(add_deltas(static, width=9)[:, 2:4], expected, atol=1e-5)


@pytest.mark.parametrize("steps", [1, 2])
def test_deltas_below_three_steps_are_zero(steps):
    assert not add_deltas(np.ones((steps, 2), np.float32), width=9)[:, 2:].any()


def test_every_window_row_is_independent_of_block_boundaries(tabla):
    long = np.tile(tabla, 8)  # 345 frames: three blocks
    np.testing.assert_allclose(descriptors_of(long, START), librosa_descriptors(long), atol=1e-3)
