"""Rules to the sample: what is just allowed, and what is counted when."""

import numpy as np
import pytest

from query.explain import explain
from query.options import PathOptions
from query.path import find_path
from query.rules import LAG, REST, Novelty, Rules
from tests.query.test_path import HOP, RATE, Toy, find, runs


def test_a_unit_is_played_again_as_soon_as_min_reuse_is_over():
    toy = Toy([1, 1, 1], 0)
    options = {"k": 3, "continuity": 0.0, "min_reuse": 3 * HOP / RATE}
    path = find(toy, np.zeros((9, 3)), **options)
    np.testing.assert_array_equal(path.positions[3:], path.positions[:-3])
    removed = explain(toy.space, path).removed
    assert [sorted(row) for row in removed[2:]] == [["", "min_reuse", "min_reuse"]] * 7


def test_a_run_lasts_as_long_as_it_may():
    toy = Toy([30, 30], 1)
    path = find(toy, toy.vectors[:30], k=60, continuity=1.0, max_run=3 * HOP / RATE)
    assert runs(path.positions, toy.units.source).max() == 3


def test_what_is_just_as_far_as_the_rest_threshold_is_played():
    toy = Toy([1], 0)
    toy.vectors[:] = [[3, 4, 0]]
    assert (find(toy, np.zeros((2, 3)), rest_threshold=5.0).positions != REST).all()


@pytest.mark.parametrize(
    ("played", "near"), [(1, [0, 2, 3]), (4, [2, 3])]
)  # 4 is the last of its source
def test_each_use_is_counted_once_and_for_neighbours_when_it_is_long_past(played, near):
    toy = Toy([5, 5], 0)
    here = np.arange(10)
    novelty = Novelty(1.0, toy.units)
    past = Rules(PathOptions(novelty=1.0), toy.units, np.full(60, HOP), RATE).begin()
    for step in range(LAG + 8):
        expected = np.zeros(10)
        expected[played] = np.log2(1 + step)
        expected[near] = np.log2(1 + max(step - LAG + 1, 0))
        np.testing.assert_allclose(novelty.costs(past, here)[0], expected)
        past = past.then(np.array([played]), np.array([HOP]), np.zeros(1, bool))
        novelty.count_use(past, 0)


def test_what_is_locked_soon_is_forbidden_before_and_explained():
    toy = Toy([6], 3)
    options = PathOptions(k=6, continuity=0.0, min_reuse=3 * HOP / RATE)
    targets = np.random.default_rng(1).normal(size=(6, 3))
    path = find_path(toy.index, targets, options, step_samples=np.full(6, HOP), locked={3: 5})
    removed = explain(toy.space, path).removed
    for step in range(6):
        of_locked = removed[step][list(path.matches.positions[step]).index(5)]
        assert of_locked == ("" if step in (0, 3) else "min_reuse")
    assert set(removed[3]) == {""}  # no rule applies there
