import numpy as np
import pytest

from db.normaliser import Normaliser, fit_normaliser

ROWS = np.random.default_rng(0).normal(5, [1, 20, 300], (1000, 3)).astype(np.float32)


@pytest.mark.parametrize("cuts", [[], [1], [1, 1, 400, 999]])
def test_blocks_are_as_all_rows_at_once(cuts):
    fitted = fit_normaliser(np.split(ROWS, cuts), 3)
    np.testing.assert_allclose(fitted.mean, ROWS.mean(axis=0, dtype=np.float64), rtol=1e-6)
    np.testing.assert_allclose(fitted.std, ROWS.std(axis=0, dtype=np.float64), rtol=1e-6)
    assert fitted.mean.dtype == fitted.std.dtype == np.float32


def test_a_constant_column_keeps_its_scale():
    rows = np.column_stack([np.full(50, 1e6), np.zeros(50), np.arange(50) * 1e-3])
    fitted = fit_normaliser([rows], 3)
    assert fitted.std[:2].tolist() == [1, 1]
    assert fitted.std[2] == pytest.approx(np.std(np.arange(50) * 1e-3))


def test_no_rows_are_left_as_they_are():
    fitted = fit_normaliser([], 2)
    assert fitted.mean.tolist() == [0, 0]
    assert fitted.std.tolist() == [1, 1]


def test_z_scores_and_back():
    normaliser = Normaliser(np.float32([1, 2]), np.float32([2, 4]))
    assert normaliser.apply(np.array([[3, 2]])).tolist() == [[1, 0]]
    assert normaliser.invert(np.array([[1, 0]])).tolist() == [[3, 2]]
