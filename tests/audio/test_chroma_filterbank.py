import librosa
import numpy as np
import pytest

from audio.chroma_filterbank import chroma_filterbank


@pytest.mark.parametrize(("rate", "n_fft"), [(44100, 2048), (22050, 4096), (96000, 512)])
def test_filterbank_equals_librosa(rate, n_fft):
    expected = librosa.filters.chroma(sr=rate, n_fft=n_fft, tuning=0.0)
    np.testing.assert_array_equal(chroma_filterbank(rate, n_fft), expected)
