"""What else could be played at a step, against the path and the definition of the costs."""

import numpy as np
import pytest

from query.alternatives import Place, find_alternatives
from query.options import PathOptions
from query.path import find_path
from tests.query.test_path import HOP, Toy, find, make_uneven


def place_in(path, step):
    """The place of a step within a path, not at its ends."""
    before, _, after = path.positions[step - 1 : step + 2].tolist()
    return Place(int(path.n_samples[step]), before, int(path.n_samples[step - 1]), after)


def test_the_unit_of_a_path_has_the_costs_it_has_there():
    toy = Toy([20, 30], 1)
    targets = np.random.default_rng(2).normal(size=(12, 3))
    path = find(toy, targets, k=50)
    for step in range(1, 11):
        found = find_alternatives(toy.index, targets[step], place_in(path, step), k=50)
        (played,) = [one for one in found if one.position == path.positions[step]]
        expected = path.distances[step], path.joins[step], path.joins[step + 1]
        np.testing.assert_allclose(
            (played.distance, played.join, played.join_next), expected, rtol=1e-6
        )


def test_they_come_nearest_first_with_joins_from_the_definition():
    toy = Toy([20, 30], 1)
    target = np.full(3, 0.1, np.float32)
    found = find_alternatives(toy.index, target, Place(HOP, 3, HOP, 26), k=5)
    distances = np.linalg.norm(toy.vectors - target, axis=1)
    assert [one.position for one in found] == list(distances.argsort()[:5])
    for one in found:
        at = one.position
        assert one.distance == pytest.approx(distances[at], rel=1e-6)
        assert one.join == pytest.approx(
            np.linalg.norm(toy.vectors[4] - toy.vectors[at]), rel=1e-5
        )  # 3 was played
        assert one.join_next == pytest.approx(
            np.linalg.norm(toy.vectors[at + 1] - toy.vectors[26]), rel=1e-5
        )
        assert one.too_short is False


def test_beside_rests_and_edges_there_is_nothing_to_join():
    found = find_alternatives(Toy([20], 1).index, np.zeros(3), Place(HOP), k=99)
    assert len(found) == 20  # all there are
    assert {(one.join, one.join_next) for one in found} == {(0.0, 0.0)}


def test_what_follows_joins_for_nothing_and_what_is_over_too_soon_is_said():
    toy = Toy([4, 3], 1)
    found = find_alternatives(toy.index, np.zeros(3), Place(2 * HOP, 0, HOP, 3), k=7)
    by_position = {one.position: one for one in found}
    assert by_position[1].join == 0  # 0 goes on to 1, and that, twice as long, to 3
    assert by_position[1].join_next == 0
    assert {position for position, one in by_position.items() if one.too_short} == {3, 6}
    assert by_position[6].join_next == pytest.approx(toy.space.joins.by_chance)


def test_units_of_different_lengths_join_where_the_step_ends():
    toy = Toy([30], 7)
    make_uneven(toy, 0)
    targets = np.random.default_rng(8).normal(size=(8, 3))
    lasting = np.array([60, 90, 120, 150] * 2)
    path = find_path(toy.index, targets, PathOptions(k=30), step_samples=lasting)
    for step in range(1, 7):
        found = find_alternatives(toy.index, targets[step], place_in(path, step), k=30)
        (played,) = [one for one in found if one.position == path.positions[step]]
        np.testing.assert_allclose(
            (played.join, played.join_next), path.joins[step : step + 2], rtol=1e-6
        )
    assert path.cost == pytest.approx(path.distances.sum() + 0.25 * path.joins.sum(), rel=1e-5)
