"""Voices of a continuation: in harmony at each moment, and never at the same place."""

import numpy as np
import pytest

from query.together import AGAIN, HARMONY, NEAR_SECONDS, Together
from tests.query.test_path import HOP, RATE, Toy

NEAR = round(NEAR_SECONDS * RATE / HOP)  # units
NAMES = tuple(f"chroma{number}" for number in range(12))


@pytest.fixture
def toy():
    """Two sources of thirty units; the first half of each is in C, the other in F sharp."""
    toy = Toy([30, 30], 0, names=NAMES)
    toy.vectors[:] = 0.1
    toy.vectors[:, 0] = np.tile(np.repeat([1, 0.1], 15), 2)
    toy.vectors[:, 6] = np.tile(np.repeat([0.1, 1], 15), 2)
    return toy


def test_the_first_voice_costs_nothing(toy):
    costs = Together(toy.space, np.arange(60)).costs(np.array([0, HOP]))
    np.testing.assert_array_equal(costs, np.zeros((2, 60)))


def test_units_in_harmony_with_what_sounds_then_cost_least_and_its_neighbours_are_forbidden(toy):
    together = Together(toy.space, np.arange(60))
    together.add(np.array([2, 3, 20]), np.array([HOP, 2 * HOP, HOP]))
    costs = together.costs(np.array([0, 2 * HOP, 3 * HOP, 9 * HOP]))
    assert costs.shape == (4, 60)
    np.testing.assert_allclose(costs[:2, 30:45], 0, atol=1e-4)
    apart = HARMONY * (1 - toy_agreement(toy))
    np.testing.assert_allclose(costs[:2, 45:], apart, rtol=1e-4)
    np.testing.assert_allclose(costs[2:, 45:], 0, atol=1e-4)  # after its end its last unit counts
    for row, unit in zip(costs, (2, 3, 20, 20), strict=True):
        forbidden = np.flatnonzero(np.isinf(row))
        np.testing.assert_array_equal(
            forbidden, np.arange(max(unit - NEAR, 0), min(unit + NEAR, 29) + 1)
        )
    assert costs[0, 29] == pytest.approx(apart + AGAIN, rel=1e-4)  # played, but later


def toy_agreement(toy) -> float:
    return float(np.corrcoef(toy.vectors[0], toy.vectors[20])[0, 1])


def test_neighbours_are_counted_in_time(toy):
    positions = np.array([0, 17, 20, 28, 31])
    together = Together(toy.space, positions)
    together.add(np.array([3]), np.array([HOP]))
    forbidden = np.isinf(together.costs(np.zeros(1, np.int64)))[0]
    np.testing.assert_array_equal(forbidden, [False, False, True, True, False])
