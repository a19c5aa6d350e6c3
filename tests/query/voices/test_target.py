import numpy as np
import pytest

from query.voices.target import SILENT, VoiceTarget, target_of_frames

HOP = 100


def rows_and_pitches(n: int) -> tuple[np.ndarray, np.ndarray]:
    rows = np.random.default_rng(0).uniform(0, 1, (n, 4)).astype(np.float32)
    return rows, np.arange(1, n + 1, dtype=np.float32)


def test_steps_of_a_hop_are_the_frames():
    rows, f0 = rows_and_pitches(7)
    target = target_of_frames(rows, f0, np.array([*[HOP] * 6, 40]), HOP)
    np.testing.assert_array_equal(target.spectra, rows)
    np.testing.assert_array_equal(target.f0, f0)
    assert len(target) == 7


def test_steps_are_means_of_the_frames_that_begin_in_them():
    rows, f0 = rows_and_pitches(8)
    steps = np.array([250, 50, 300, 200])  # frames 0 1 2 | (none) 3's place | 3 4 5 | 6 7
    target = target_of_frames(rows, f0, steps, HOP)
    np.testing.assert_allclose(target.spectra[0], rows[:3].mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(target.spectra[1], rows[3], rtol=1e-6)  # the next frame instead
    np.testing.assert_allclose(target.spectra[2], rows[3:6].mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(target.spectra[3], rows[6:].mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(target.f0, [2, 4, 5, 7.5])


def test_steps_after_the_last_frame_have_the_last():
    rows, f0 = rows_and_pitches(2)
    target = target_of_frames(rows, f0, np.array([150, 60, 60]), HOP)
    np.testing.assert_array_equal(target.spectra[1:], rows[[1, 1]])


@pytest.mark.parametrize(
    ("f0", "pitch"), [([100, 0, 102, 101], 101), ([0, 0, 0, 100], 0), ([0, 0, 90, 100], 95)]
)
def test_pitch_of_a_step_is_the_median_if_half_of_its_frames_have_one(f0, pitch):
    rows = np.ones((4, 3), np.float32)
    assert target_of_frames(rows, np.array(f0, np.float32), np.array([400]), HOP).f0 == [pitch]


def test_steps_below_80_dbfs_are_silent():
    spectra = np.array([[0, 0], [SILENT / 4, SILENT / 4], [SILENT, SILENT]], np.float32)
    assert VoiceTarget(spectra, np.zeros(3)).silent.tolist() == [True, True, False]


def test_onsets_are_where_a_spectrum_is_new():
    low, high = [100.0, 0.0], [0.0, 100.0]
    spectra = np.array([low, low, [101.0, 1.0], high, high, [0, 0], low], np.float32)
    onsets = VoiceTarget(spectra, np.zeros(7)).onsets
    assert onsets.tolist() == [1, 0, 0, 1, 0, 0, 1]
    half = np.array([[100.0, 0.0], [100.0, 80.0]], np.float32)
    assert 0 < VoiceTarget(half, np.zeros(2)).onsets[1] < 1
