"""What is said of a path's candidates against the path's own costs and rules."""

import numpy as np
import pytest

from query.explain import explain
from query.options import PathOptions
from query.path import find_path
from query.rules import REST
from tests.query.test_path import HOP, RATE, Toy, find, make_uneven


def test_joins_of_the_chosen_are_those_of_the_path():
    toy = Toy([20, 30], 1)
    options = PathOptions(k=50)
    path = find_path(
        toy.index,
        np.random.default_rng(2).normal(size=(30, 3)),
        options,
        step_samples=np.full(30, HOP),
    )
    explanation = explain(toy.space, path)
    chosen = np.argmax(path.matches.positions == path.positions[:, None], axis=1)
    np.testing.assert_allclose(explanation.joins[np.arange(30), chosen], path.joins, rtol=1e-6)
    assert path.distances.sum() + 0.25 * path.joins.sum() == pytest.approx(path.cost, rel=1e-5)
    assert {why for row in explanation.removed for why in row} == {""}


def test_what_is_removed_is_what_the_rules_forbid_after_this_path():
    toy = Toy([20, 30], 1)
    targets = np.repeat(np.random.default_rng(2).normal(size=(3, 3)), 10, axis=0)
    options = {"k": 50, "min_reuse": 0.35, "max_run": 0.2, "continuity": 2.0}
    path = find(toy, targets, **options)
    explanation = explain(toy.space, path)
    played = path.positions
    for i, (units, row) in enumerate(zip(path.matches.positions, explanation.removed, strict=True)):
        recent = set(path.positions[max(i - 3, 0) : i])  # 0.35 s are three and a half steps
        run = 1
        while (
            i > run
            and played[i - run] == played[i - run - 1] + 1
            and toy.units.source[played[i - run]] == (toy.units.source[played[i - run - 1]])
        ):
            run += 1
        for unit, why in zip(units, row, strict=True):
            follows = (
                i > 0
                and unit == path.positions[i - 1] + 1
                and toy.units.samples_left[played[i - 1]] > HOP
            )
            expected = (
                "min_reuse"
                if unit in recent
                else "max_run"
                if follows and (run + 1) * HOP > 0.2 * RATE
                else ""
            )
            assert why == expected, (i, unit)
        assert row[list(units).index(path.positions[i])] == ""


def test_whole_units_are_never_too_short_and_runs_last_as_long_as_they_do():
    toy = Toy([20, 30], 1)
    make_uneven(toy, 0)
    options = PathOptions(k=50, max_run=0.3, continuity=2.0)
    targets = np.random.default_rng(2).normal(size=(30, 3))
    path = find_path(toy.index, targets, options, step_samples=np.full(30, HOP), whole_units=True)
    explanation = explain(toy.space, path)
    assert {why for row in explanation.removed for why in row} <= {"", "max_run"}
    for units, row, unit in zip(
        path.matches.positions, explanation.removed, path.positions, strict=True
    ):
        if unit in units:
            assert row[list(units).index(unit)] == ""


def test_what_is_too_short_or_too_far_is_said():
    toy = Toy([1, 5], 3)
    targets = np.zeros((2, 3))
    targets[1] += 99
    options = PathOptions(k=6, rest_threshold=10.0)
    path = find_path(toy.index, targets, options, step_samples=np.array([3 * HOP, HOP]))
    first, second = explain(toy.space, path).removed
    left = toy.units.samples_left[path.matches.positions[0]] // HOP
    assert first == ["too short" if room < 3 else "" for room in left]
    assert path.positions[1] == REST
    assert set(second) == {"rest_threshold"}
    near = PathOptions(
        k=6, rest_threshold=float(np.sort(path.matches.distances[0])[2])
    )  # three of six are farther
    path = find_path(toy.index, targets[:1], near, step_samples=np.array([HOP]))
    assert set(explain(toy.space, path).removed[0]) == {""}
