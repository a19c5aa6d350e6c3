import numpy as np
import pytest

from audio.channels import fit_channels, integers_to_mono, to_mono

STEREO = np.array([[0.5, 1.0], [-1.0, 0.0]], np.float32)


def test_mono_is_the_mean():
    assert to_mono(STEREO).tolist() == [0.75, -0.5]
    assert to_mono(STEREO[:, :1]).tolist() == [0.5, -1.0]
    three = np.array([[0.0, 0.75, 1.5]], np.float32)
    assert to_mono(three).tolist() == [0.75]


@pytest.mark.parametrize("channels", [1, 2])
def test_integers_are_as_the_floats_that_libsndfile_makes(channels):
    samples = np.random.default_rng(0).integers(-32768, 32768, (40000, channels)).astype(np.int16)
    floats = samples.astype(np.float32) / np.float32(32768)
    np.testing.assert_array_equal(integers_to_mono(samples), to_mono(floats))
    assert integers_to_mono(samples).dtype == np.float32


@pytest.mark.parametrize(
    ("given", "channels", "expected"),
    [
        ([[1, 2]], 2, [[1, 2]]),
        ([[1]], 3, [[1, 1, 1]]),
        ([[1, 2]], 1, [[1.5]]),
        ([[1, 2, 3]], 2, [[1, 2]]),
        ([[1, 2]], 4, [[1, 2, 0, 0]]),
    ],
)
def test_channels_are_fitted(given, channels, expected):
    assert fit_channels(np.array(given, np.float32), channels).tolist() == expected
