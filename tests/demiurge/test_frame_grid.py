import numpy as np
import pytest

from demiurge.frame_grid import to_frame_grid


def ramp(n):
    return np.stack([np.arange(n), -2.0 * np.arange(n)], axis=1).astype(np.float32)


def test_frames_of_equal_length_stay_as_they_are():
    rows = ramp(5)
    np.testing.assert_array_equal(to_frame_grid(rows, 64, n_samples=300, hop_length=64), rows)


def test_shorter_frames_are_averaged_over_the_span_of_a_frame():
    # frames of 2 samples; the database's of 5: rows 0, 1 and half of 2; half of 2, 3 and 4; …
    found = to_frame_grid(ramp(6), 2, n_samples=12, hop_length=5)
    np.testing.assert_allclose(found[:, 0], [(0 + 1 + 2 / 2) / 2.5, (2 / 2 + 3 + 4) / 2.5, 5])


def test_longer_frames_are_joined_by_lines_between_their_middles():
    # middles of rows at 4, 12, 20 samples; of the database's frames at 2, 6, 10, 14, 18, 22
    found = to_frame_grid(ramp(3), 8, n_samples=24, hop_length=4)
    np.testing.assert_allclose(found[:, 0], [0, 0.25, 0.75, 1.25, 1.75, 2])


@pytest.mark.parametrize("model_samples", [0.7, 3, 64, 100.5, 1e5])
@pytest.mark.parametrize("n_samples", [1, 63, 64, 65, 1000])
def test_what_is_constant_stays_constant(model_samples, n_samples):
    rows = np.full((int(np.ceil(n_samples / model_samples)), 3), 2.5, np.float32)
    found = to_frame_grid(rows, model_samples, n_samples=n_samples, hop_length=64)
    assert found.shape == (-(-n_samples // 64), 3)
    np.testing.assert_allclose(found, 2.5, rtol=1e-6)
