"""Join costs in context, against the formula in plain words."""

from types import SimpleNamespace

import numpy as np
import pytest

from query import contexts
from query.contexts import CONTEXT_STEPS, DECAY, STYLE, Contexts, units_after
from query.style import passage_styles
from tests.query.test_path import Toy

SOURCES = [9, 3, 12, 1]


@pytest.fixture
def toy():
    return Toy(SOURCES, seed=0)


def vector(toy, position, source):
    """The descriptors of a unit, or the mean of the corpus if it is not in that source."""
    if 0 <= position < len(toy) and toy.units.source[position] == source:
        return toy.vectors[position]
    return np.zeros(toy.vectors.shape[1])


def cost(toy, a, b):
    """The weighted distance of what would have been heard, (a+1, a, a-1, …), from (b, b-1, …)."""
    weights = DECAY ** np.arange(CONTEXT_STEPS + 1)
    of_a, of_b = toy.units.source[[a, b]]
    total = sum(
        weight * ((vector(toy, a + 1 - back, of_a) - vector(toy, b - back, of_b)) ** 2).sum()
        for back, weight in enumerate(weights)
    )
    return np.sqrt(total / weights.sum())


def test_costs_are_those_of_the_formula(toy):
    positions = np.arange(len(toy))
    costs = Contexts(toy.space, positions).after(positions)
    styles = passage_styles(toy.space, positions)
    of_styles = STYLE * ((styles[:, None] - styles) ** 2).sum(axis=2)
    of_contexts = [[cost(toy, a, b) ** 2 for b in positions] for a in positions]
    expected = np.sqrt(of_contexts + of_styles)
    np.testing.assert_allclose(costs, expected, atol=2e-3)  # roots of differences


def test_what_really_follows_costs_nothing_but_its_style(toy, monkeypatch):
    monkeypatch.setattr(contexts, "STYLE", 0.0)
    positions = np.arange(len(toy))
    costs = Contexts(toy.space, positions).after(positions)
    following = toy.units.successors(positions)
    goes_on = following >= 0
    assert costs[goes_on, following[goes_on]].max() < 2e-3
    others = np.ones(costs.shape, bool)
    others[positions[goes_on], following[goes_on]] = False
    assert costs[others].min() > 0.1


def test_costs_between_some_units_are_those_between_all(toy):
    chosen = np.array([0, 4, 5, 10, 13, 24])
    every = Contexts(toy.space, np.arange(len(toy))).after(chosen)
    np.testing.assert_allclose(
        Contexts(toy.space, chosen).after(np.arange(6)), every[:, chosen], atol=2e-3
    )


@pytest.mark.parametrize("steps", [1, 2, CONTEXT_STEPS, 7])
def test_a_seed_is_followed_best_by_what_really_followed_it(toy, steps):
    positions = np.arange(len(toy))
    first = SOURCES[0] + SOURCES[1]
    seed = toy.vectors[first : first + steps]
    costs = Contexts(toy.space, positions).after_seed(seed)
    assert costs.shape == (1, len(toy))
    assert costs[0].argmin() == first + steps
    assert costs[0].min() < 1e-3
    heard = seed[::-1][:CONTEXT_STEPS]
    weights = DECAY ** np.arange(1, len(heard) + 1)
    for b in positions:
        source = toy.units.source[b]
        before = [vector(toy, b - back, source) for back in range(1, len(heard) + 1)]
        squares = ((np.array(before) - heard) ** 2).sum(axis=1)
        assert costs[0, b] == pytest.approx(np.sqrt(weights @ squares / weights.sum()), abs=1e-4)


def test_units_after_each_end_with_its_source():
    rows = np.arange(10, dtype=np.float32).reshape(5, 2)
    database = SimpleNamespace(
        units=SimpleNamespace(source=np.array([0, 0, 0, 1, 1])),
        settings=SimpleNamespace(n_descriptors=2),
        rows_at=lambda positions: rows[positions],
    )
    following = units_after(database, np.array([0, 1, 3, 4]), 2)
    none = [np.nan, np.nan]
    expected = [[rows[1], rows[2]], [rows[2], none], [rows[4], none], [none, none]]
    np.testing.assert_array_equal(following, np.array(expected, np.float32))
    assert units_after(database, np.array([0, 1]), 0).shape == (2, 0, 2)


def test_costs_after_a_unit_that_may_not_be_played_are_those_without_styles(toy, monkeypatch):
    offered = np.array([0, 4, 5, 10, 13, 24])
    found = [Contexts(toy.space, offered).after_unit(position)[0] for position in range(len(toy))]
    monkeypatch.setattr(contexts, "STYLE", 0.0)
    every = Contexts(toy.space, np.arange(len(toy))).after(np.arange(len(toy)))
    np.testing.assert_allclose(found, every[:, offered], atol=2e-3)
