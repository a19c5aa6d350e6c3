"""The kernel distance of two sets."""

import numpy as np
import pytest

from files.errors import ParameterError
from training.kernel_distance import Kernels, kernel_distance


def set_of(n, d=5, seed=0, shift=0.0):
    return np.random.default_rng(seed).normal(shift, 1, (n, d))


def test_kernel_distance_agrees_with_sums_over_pairs():
    rows = set_of(5)
    reference = set_of(7, seed=1, shift=0.5)

    def mean(pairs):
        return np.mean([np.exp(-(((a - b) ** 2).sum()) / (2 * width**2)) for a, b in pairs])

    def others(s):
        return [(a, b) for i, a in enumerate(s) for j, b in enumerate(s) if i != j]

    width = np.median([np.linalg.norm(a - b) for a, b in others(reference)])
    between = mean([(a, b) for a in rows for b in reference])
    expected = 1000 * (mean(others(rows)) + mean(others(reference)) - 2 * between)
    assert kernel_distance(rows, reference) == pytest.approx(expected, rel=1e-9)


def test_kernel_distance_of_sets_far_apart_in_closed_form():
    reference = np.array([[0.0], [3.0]])  # one pair, so the bandwidth is its distance
    assert kernel_distance(np.array([[1e6], [1e6]]), reference) == pytest.approx(
        1000 * (1 + np.exp(-0.5)), rel=1e-9
    )


def test_kernel_distance_of_one_distribution_scatters_around_0_whatever_the_size():
    for n in (10, 60):
        distances = [
            kernel_distance(set_of(n, seed=s), set_of(60, seed=1000 + s)) for s in range(99)
        ]
        assert abs(np.mean(distances)) < 3 * np.std(distances) / np.sqrt(99)
        assert np.min(distances) < 0 < np.max(distances)


def test_kernel_distance_grows_with_the_shift():
    reference = set_of(60, seed=1)
    by_shift = [kernel_distance(set_of(60, shift=s), reference) for s in (0, 0.5, 1, 3)]
    assert by_shift == sorted(by_shift)
    assert by_shift[-1] > 500


def test_groups_that_are_drawn_no_time_are_left_out():
    rows = set_of(6)
    reference = set_of(9, seed=1)
    kernels = Kernels.of(rows, reference)
    grouped = kernels.by_group(np.array([0, 0, 1, 1, 2, 2]), np.repeat([0, 1, 2], 3))
    assert grouped.distance(np.ones(3)) == pytest.approx(kernels.distance(), rel=1e-9)
    left = Kernels(kernels.of_rows[:4, :4], kernels.of_reference[:6, :6], kernels.between[:4, :6])
    assert grouped.distance(np.array([1, 1, 0])) == pytest.approx(left.distance(), rel=1e-9)
    assert np.isnan(grouped.distance(np.zeros(3)))


def test_copies_of_a_group_are_not_compared():
    # each group of the rows is like the next one of the reference, so the sets are alike
    centres = np.random.default_rng(7).normal(0, 2, (8, 5)).repeat(10, axis=0)
    kernels = Kernels.of(np.roll(centres, 10, axis=0) + set_of(80), centres + set_of(80, seed=1))
    groups = np.arange(8).repeat(10)
    grouped = kernels.by_group(groups, groups)
    draws = np.random.default_rng(0).multinomial(8, np.full(8, 1 / 8), size=300)
    drawn = np.array([grouped.distance(counts) for counts in draws])
    assert drawn.mean() == pytest.approx(kernels.distance(), abs=30)  # 68 more with copies


def test_copies_of_the_reference_are_as_near_as_another_set_of_its_distribution():
    reference = set_of(30, seed=1)
    groups = np.arange(30)
    kernels = Kernels.of(reference, reference)
    assert kernels.distance() < -10
    paired = kernels.by_group(groups, groups, paired=True)
    assert paired.distance(np.ones(30)) == pytest.approx(0, abs=1e-9)
    moved = Kernels.of(reference + 0.5, reference).by_group(groups, groups, paired=True)
    assert moved.distance(np.ones(30)) > 20


def test_kernel_distance_refuses():
    with pytest.raises(ParameterError, match=r"rows of shape \(1, 3\) must be \(n >= 2, d >= 1\)"):
        kernel_distance(np.zeros((1, 3)), np.zeros((4, 3)))
    with pytest.raises(ParameterError, match="embeddings of 3 and 4 dimensions"):
        kernel_distance(np.zeros((5, 3)), np.zeros((5, 4)))
    with pytest.raises(ParameterError, match="reference holds NaN"):
        kernel_distance(np.zeros((5, 3)), np.full((5, 3), np.nan))
    with pytest.raises(ParameterError, match="most embeddings of the reference are equal"):
        kernel_distance(set_of(5, 3), np.zeros((5, 3)))
