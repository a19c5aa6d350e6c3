"""What else could be played at a step, against the path and the definition of the costs."""

import numpy as np
import pytest

from files.errors import ParameterError
from query.alternatives import find_alternatives
from query.joins import JoinCosts
from query.options import PathOptions
from query.path import select_path
from tests.query.test_path import HOP, Toy, find, make_uneven


def test_the_unit_of_a_path_has_the_costs_it_has_there():
    toy = Toy([20, 30], 1)
    targets = np.random.default_rng(2).normal(size=(12, 3))
    path = find(toy, targets, k=50)
    for step in range(1, 11):
        before = (int(path.units[step - 1]), HOP)
        after = int(path.units[step + 1])
        found = find_alternatives(
            toy, targets[step], k=50, before=before, after=after, n_samples=HOP
        )
        (played,) = [one for one in found if one.unit == path.units[step]]
        expected = path.distances[step], path.joins[step], path.joins[step + 1]
        np.testing.assert_allclose(
            (played.distance, played.join, played.join_next), expected, rtol=1e-6
        )


def test_they_come_nearest_first_with_joins_from_the_definition():
    toy = Toy([20, 30], 1)
    target = np.full(3, 0.1, np.float32)
    found = find_alternatives(toy, target, k=5, before=(10, HOP), after=33, n_samples=HOP)
    distances = np.linalg.norm(toy.vectors - target, axis=1)
    assert [one.unit - 7 for one in found] == list(distances.argsort()[:5])
    for one in found:
        at = one.unit - 7
        assert one.distance == pytest.approx(distances[at], rel=1e-6)
        assert one.join == pytest.approx(
            np.linalg.norm(toy.vectors[4] - toy.vectors[at]), rel=1e-5
        )  # 3 was played
        assert one.join_next == pytest.approx(
            np.linalg.norm(toy.vectors[at + 1] - toy.vectors[26]), rel=1e-5
        )
        assert one.too_short is False


def test_beside_rests_and_edges_there_is_nothing_to_join():
    found = find_alternatives(
        Toy([20], 1), np.zeros(3), k=99, before=None, after=None, n_samples=HOP
    )
    assert len(found) == 20  # all there are
    assert {(one.join, one.join_next) for one in found} == {(0.0, 0.0)}


def test_what_follows_joins_for_nothing_and_what_is_over_too_soon_is_said():
    toy = Toy([4, 3], 1)
    found = find_alternatives(toy, np.zeros(3), k=7, before=(7, HOP), after=10, n_samples=2 * HOP)
    by_unit = {one.unit: one for one in found}
    assert by_unit[8].join == 0  # 7 goes on to 8, and that, twice as long, to 10
    assert by_unit[8].join_next == 0
    assert {unit for unit, one in by_unit.items() if one.too_short} == {10, 13}
    assert by_unit[13].join_next == pytest.approx(JoinCosts(toy).by_chance)


def test_units_of_different_lengths_join_where_the_step_ends():
    toy = Toy([30], 7)
    make_uneven(toy, 0)
    targets = np.random.default_rng(8).normal(size=(8, 3))
    lasting = np.array([60, 90, 120, 150] * 2)
    path = select_path(toy, targets, PathOptions(k=30), step_samples=lasting)
    for step in range(1, 7):
        before = (int(path.units[step - 1]), int(lasting[step - 1]))
        after = int(path.units[step + 1])
        found = find_alternatives(
            toy, targets[step], k=30, before=before, after=after, n_samples=int(lasting[step])
        )
        (played,) = [one for one in found if one.unit == path.units[step]]
        np.testing.assert_allclose(
            (played.join, played.join_next), path.joins[step : step + 2], rtol=1e-6
        )
    assert path.cost == pytest.approx(path.distances.sum() + 0.25 * path.joins.sum(), rel=1e-5)


@pytest.mark.parametrize(
    "around", [{"before": (99, HOP), "after": None}, {"before": None, "after": 99}]
)
def test_unknown_neighbours_are_named(around):
    with pytest.raises(
        ParameterError,
        match="there is no unit 99 in the database; name one that is, or None for a rest",
    ):
        find_alternatives(Toy([20], 1), np.zeros(3), k=3, **around, n_samples=HOP)
