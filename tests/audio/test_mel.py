import librosa
import numpy as np
import pytest

from audio.mel import hz_to_mel, mel_filterbank, mel_to_hz


@pytest.mark.parametrize(
    ("rate", "n_fft", "n_mels"), [(44100, 2048, 128), (22050, 1024, 80), (1500, 512, 20)]
)
def test_filterbank_equals_librosa(rate, n_fft, n_mels):
    expected = librosa.filters.mel(sr=rate, n_fft=n_fft, n_mels=n_mels)
    np.testing.assert_array_equal(mel_filterbank(rate, n_fft, n_mels), expected)
    rounded_once = mel_filterbank(rate, n_fft, n_mels, triangle_dtype=np.float64)
    np.testing.assert_allclose(rounded_once, expected, atol=1e-8)


def test_filterbank_between_two_frequencies_equals_librosa():
    expected = librosa.filters.mel(sr=22050, n_fft=1024, n_mels=80, fmin=27.5, fmax=8000)
    found = mel_filterbank(22050, 1024, 80, f_min=27.5, f_max=8000)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("hz", [0.0, 440.0, 999.9, 1000.0, 1000.1, 20000.0])
def test_mels_and_back(hz):
    assert mel_to_hz(np.array([hz_to_mel(hz)]))[0] == pytest.approx(hz, rel=1e-12)
