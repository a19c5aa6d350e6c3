import numpy as np
import pytest

from audio.resample import resample, resample_blocks, resampled_length

RATE = 44100


@pytest.mark.parametrize(
    ("rate", "expected"), [(22050, 88200), (48000, 40517), (44100, 44100), (96000, 20259)]
)
def test_length_is_rounded_up(rate, expected):
    assert resampled_length(44100, rate, 44100) == expected
    assert len(resample(np.zeros((44100, 2), np.float32), rate, 44100)) == expected


def test_resampling_equals_librosa(tabla):
    import librosa

    expected = librosa.resample(tabla, orig_sr=44100, target_sr=48000)
    expected = expected[:48000]  # its rounding adds an empty sample
    np.testing.assert_allclose(resample(tabla, 44100, 48000), expected, atol=1e-6)


@pytest.mark.parametrize("rate", [22050, 44100, 48000, 96000])
def test_resampling_in_blocks_is_resampling_at_once(tabla, rate):
    stereo = np.stack([tabla, tabla[::-1]], axis=1)
    for samples in (tabla, stereo):
        cut = np.array_split(samples, [1, 5000, 5000, 40000])
        blocks = list(resample_blocks(cut, rate, RATE, channels=samples.ndim))
        assert sum(map(len, blocks)) == resampled_length(len(samples), rate, RATE)
        np.testing.assert_allclose(np.concatenate(blocks), resample(samples, rate, RATE), atol=1e-6)


@pytest.mark.parametrize("n_samples", [1, 2, 3, 100, 101])
def test_a_short_signal_in_blocks_has_its_length(n_samples):
    blocks = resample_blocks([np.ones(n_samples, np.float32)], 48000, RATE)
    assert sum(map(len, blocks)) == resampled_length(n_samples, 48000, RATE)
