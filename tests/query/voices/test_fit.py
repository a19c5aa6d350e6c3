import numpy as np
import pytest

from query.voices.fit import (
    FLOOR,
    HIGHEST_GAIN,
    LOGARITHMIC,
    divergences,
    fit_one,
    joint_gains,
    weights_of,
)


def spectra_like(*shape: int, seed: int = 0) -> np.ndarray:
    """Spectra whose bands differ by up to 60 dB."""
    return np.exp(np.random.default_rng(seed).normal(0, 2, shape)).astype(np.float32)


def divergence(target: np.ndarray, total: np.ndarray) -> float:
    """Return the divergence as it is written, band by band."""
    each = [t * np.log(t / v) - t + v for t, v in zip(target + FLOOR, total + FLOOR, strict=True)]
    return sum(each) / (target + FLOOR).sum()


def test_divergences_equal_a_direct_computation():
    targets = spectra_like(7, 20).astype(np.float64)
    sums = spectra_like(7, 20, seed=1).astype(np.float64)
    expected = [divergence(*pair) for pair in zip(targets, sums, strict=True)]
    np.testing.assert_allclose(divergences(targets, sums), expected, rtol=1e-9)


def test_divergence_is_0_for_the_target_only_and_does_not_depend_on_its_level():
    targets, sums = spectra_like(50, 20), spectra_like(50, 20, seed=1)
    assert np.abs(divergences(targets, targets)).max() < 1e-6
    assert divergences(targets, sums).min() > 0.1
    np.testing.assert_allclose(
        divergences(1000 * targets, 1000 * sums), divergences(targets, sums), rtol=0.02
    )


def test_silence_goes_with_silence_only():
    silence = np.zeros((1, 20), np.float32)
    assert divergences(silence, silence)[0] == 0
    assert divergences(silence, np.ones((1, 20), np.float32))[0] > 100


def test_fit_one_finds_the_gain_of_a_mixture():
    rows, others = spectra_like(5, 12, 20), spectra_like(5, 20, seed=1)
    for gain in (0.3, 1.0, 4.0):
        target = others + gain * rows[:, 3]
        cost, found = fit_one(rows, target, others)
        np.testing.assert_allclose(found[:, 3], gain, rtol=0.02)
        assert (cost.argmin(axis=1) == 3).all()
        assert cost[:, 3].max() < 0.05


def test_cost_is_the_divergence_at_the_gain_and_the_difference_in_nepers():
    rows, others, target = spectra_like(5, 12, 20), spectra_like(5, 20, seed=1), spectra_like(5, 20)
    found, gain = fit_one(rows, target, others)
    sums = others[:, None] + gain[..., None] * rows
    nepers = np.log((sums + FLOOR) / (target[:, None] + FLOOR))
    expected = divergences(target[:, None], sums)
    expected += LOGARITHMIC * np.sqrt((nepers**2).mean(axis=-1))
    np.testing.assert_allclose(found, expected, rtol=1e-3)


def test_gain_of_fit_one_is_nearly_the_best():
    rows, target = spectra_like(1, 30, 40), spectra_like(1, 40, seed=2)
    others = 0.6 * target * np.exp(np.random.default_rng(3).normal(0, 0.3, 40)).astype(np.float32)
    _, gains = fit_one(rows, target, others)
    factors = np.geomspace(1e-4, HIGHEST_GAIN, 400)
    for n in range(30):
        sums = others + factors[:, None] * rows[0, n]
        best = divergences(target, sums).min()
        found = divergences(target, others + gains[0, n] * rows[0, n])[0]
        assert best - 1e-3 <= found <= 1.1 * best


def test_a_unit_is_heard_though_others_are_too_loud_in_a_quiet_band():
    """There least squares are less with nothing."""
    target, others = np.float32([[1000, 1]]), np.float32([[500, 30]])
    row = np.float32([[[1, 0.1]]])
    _, gain = fit_one(row, target, others)
    assert gain > 1
    assert divergences(target, others + gain * row[0]) < divergences(target, others)


def test_what_others_play_already_needs_no_more():
    rows, target = spectra_like(3, 12, 20), spectra_like(3, 20, seed=1)
    _, gain = fit_one(rows, target, 2 * target)
    sums = (gain[..., None] * rows).sum(axis=-1)
    assert (sums < 0.05 * target.sum(axis=-1)[:, None]).all()


def test_gains_stay_within_their_limit():
    quiet = 1e-3 * spectra_like(2, 5, 20)
    loud = 1e4 * spectra_like(2, 20, seed=1)
    _, gain = fit_one(quiet, loud, np.zeros_like(loud))
    assert gain.max() <= HIGHEST_GAIN
    gains = joint_gains(quiet, loud, np.ones((2, 5), np.float32), rounds=50)
    assert gains.max() <= HIGHEST_GAIN


@pytest.mark.parametrize("voices", [1, 2, 6])
def test_joint_gains_never_raise_the_divergence(voices):
    rows, targets = spectra_like(40, voices, 30), spectra_like(40, 30, seed=1)
    gains = spectra_like(40, voices, seed=2)
    before = divergences(targets, np.einsum("sv,svb->sb", gains, rows))
    for _ in range(20):
        gains = joint_gains(rows, targets, gains, rounds=1)
        after = divergences(targets, np.einsum("sv,svb->sb", gains, rows))
        assert (after <= before + 1e-4 * before + 1e-6).all()
        before = after


def test_joint_gains_find_those_of_a_mixture():
    rows = spectra_like(10, 3, 60)
    wanted = np.tile(np.array([0.5, 2.0, 1.0], np.float32), (10, 1))
    targets = np.einsum("sv,svb->sb", wanted, rows)
    gains = joint_gains(rows, targets, np.ones((10, 3), np.float32), rounds=500)
    np.testing.assert_allclose(gains, wanted, rtol=0.05)


def test_joint_gains_of_a_voice_that_rests_are_finite():
    rows = spectra_like(2, 2, 20)
    rows[:, 1] = 0
    gains = joint_gains(rows, spectra_like(2, 20), np.ones((2, 2), np.float32), rounds=10)
    assert np.isfinite(gains).all()


def test_quiet_bands_count_as_1000th_of_the_loudest():
    weights = weights_of(np.array([[1000.0, 1.0, 0.0]], np.float32))
    np.testing.assert_allclose(weights, [[1e-3, 1.0, 1.0]], rtol=2e-3)
