"""Fréchet distance of Gaussians; of sets of embeddings, see tests/synth/test_measures.py."""

import numpy as np
import pytest
import scipy.linalg

from training.frechet import Gaussian, frechet_distance, gaussian_distance

RNG = np.random.default_rng(0)


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
