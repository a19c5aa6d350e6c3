"""The Fréchet distance of two Gaussians, and of two sets."""

from math import sqrt

import numpy as np
import pytest
import scipy.linalg

from files.errors import ParameterError
from training.frechet import Gaussian, frechet_distance, gaussian_distance

RNG = np.random.default_rng(0)


def set_of(n, d, seed=0, scale=1.0):
    return np.random.default_rng(seed).normal(0, scale, (n, d)) @ np.random.default_rng(
        seed + 1
    ).normal(0, 1, (d, d))


def test_frechet_distance_of_one_dimension_in_closed_form():
    # means 1 and 5, variances 2 and 12
    a = np.array([[0.0], [2.0]])
    b = np.array([[3.0], [3.0], [9.0]])
    assert frechet_distance(a, b) == pytest.approx(
        (1 - 5) ** 2 + (sqrt(2) - sqrt(12)) ** 2, rel=1e-12
    )


def test_frechet_distance_of_uncorrelated_dimensions_is_the_sum_of_theirs():
    corners = np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]])
    a = corners * [3, 1]
    b = corners * [1, 5] + [0, 7]
    assert frechet_distance(a, b) == pytest.approx(
        7**2 + 4 / 3 * ((3 - 1) ** 2 + (1 - 5) ** 2), rel=1e-12
    )


def test_frechet_distance_agrees_with_the_root_of_the_matrix():
    a = set_of(200, 8)
    b = set_of(150, 8, seed=5, scale=2) + 0.3
    cov_a = np.cov(a.T)
    cov_b = np.cov(b.T)
    root = scipy.linalg.sqrtm(cov_a @ cov_b).real
    expected = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(cov_a + cov_b - 2 * root)
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(b, a) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("n", [2, 5, 30, 300])
def test_frechet_distance_of_equal_and_of_shifted_sets_with_many_or_few_rows(n):
    a = set_of(n, 30)
    scale = np.var(a, axis=0, ddof=1).sum()
    assert frechet_distance(a, a) <= 1e-8 * scale
    assert frechet_distance(a, a[::-1]) <= 1e-8 * scale
    assert frechet_distance(a, a + 2.0) == pytest.approx(4 * 30, abs=1e-8 * scale)
    assert frechet_distance(a.astype(np.float32), a.astype(np.float32) + 100) == pytest.approx(
        1e4 * 30, rel=1e-5
    )


def test_frechet_distance_of_sets_that_span_different_subspaces():
    a = np.zeros((3, 4))
    b = np.zeros((4, 4))
    # variances 1 and 6, no common direction
    a[:, 0] = [-1, 0, 1]
    b[:, 1] = [-3, 0, 0, 3]
    assert frechet_distance(a, b) == pytest.approx(1 + 6, rel=1e-12)


def test_frechet_distance_refuses():
    with pytest.raises(ParameterError, match=r"a of shape \(1, 3\) must be \(n >= 2, d >= 1\)"):
        frechet_distance(np.zeros((1, 3)), np.zeros((4, 3)))
    with pytest.raises(ParameterError, match="embeddings of 3 and 4 dimensions"):
        frechet_distance(np.zeros((5, 3)), np.zeros((5, 4)))
    with pytest.raises(ParameterError, match="b holds NaN"):
        frechet_distance(np.zeros((5, 3)), np.full((5, 3), np.nan))


def distance(first, second):
    return gaussian_distance(Gaussian.of_moments(*first), Gaussian.of_moments(*second))


def test_distance_of_known_gaussians():
    one = np.eye(2)
    assert distance((np.zeros(2), one), (np.zeros(2), one)) == pytest.approx(0, abs=1e-9)
    assert distance((np.zeros(2), one), (np.array([3, 4]), one)) == pytest.approx(25)
    # with axes in common: the sum of (std - std)²
    wide = np.diag([9, 16])
    assert distance((np.zeros(2), one), (np.zeros(2), wide)) == pytest.approx(4 + 9)


def test_distance_is_that_of_the_formula_and_symmetric():
    a, b = (np.cov(RNG.normal(0, 1, (3, 50)) * RNG.uniform(1, 3, (3, 1))) for _ in "ab")
    first = (np.zeros(3), a)
    second = (np.ones(3), b)
    expected = 3 + np.trace(a + b - 2 * scipy.linalg.sqrtm(a @ b)).real
    assert distance(first, second) == pytest.approx(expected)
    assert distance(second, first) == pytest.approx(expected)


def test_rows_and_moments_give_the_same_distance():
    first, second = (RNG.normal(i, 1 + i, (200, 4)) for i in range(2))
    moments = [(rows.mean(axis=0), np.cov(rows, rowvar=False)) for rows in (first, second)]
    assert frechet_distance(first, second) == pytest.approx(distance(*moments))


def test_a_covariance_without_full_rank_is_as_good_as_any():
    flat = np.diag([4.0, 0.0])
    assert distance((np.zeros(2), flat), (np.zeros(2), np.eye(2))) == pytest.approx(1 + 1)


def test_counted_rows_are_rows_repeated_as_often():
    rows = set_of(6, 4)
    counts = np.array([2, 0, 1, 3, 0, 1])
    other = Gaussian.of_rows(set_of(20, 4, seed=9))
    counted = Gaussian.of_counted_rows(rows, counts)
    repeated = Gaussian.of_rows(np.repeat(rows, counts, axis=0))
    np.testing.assert_allclose(counted.mean, repeated.mean)
    assert gaussian_distance(counted, other) == pytest.approx(gaussian_distance(repeated, other))
