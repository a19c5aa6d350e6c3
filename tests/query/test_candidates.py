"""Paths with steps that are locked, against brute force, the free path and the rules."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from files.errors import ParameterError
from query.options import SEARCHES, PathOptions
from query.path import find_path, find_paths
from query.rules import REST
from tests.query.test_path import HOP, RATE, Toy, cases, cost_of, find, make_uneven, runs


def find_around(toy, targets, locked, *, lasting=HOP, whole_units=False, **options):
    step_samples = np.full(len(targets), lasting)
    return find_path(
        toy.index,
        targets,
        PathOptions(**options),
        step_samples=step_samples,
        whole_units=whole_units,
        locked=locked,
    )


@settings(deadline=None, max_examples=200)
@given(where=st.integers(0, 3), unit=st.integers(0, 8), **cases)
def test_a_locked_path_costs_what_brute_force_finds_with_that_step_fixed(
    lengths, steps, seed, continuity, where, unit
):
    toy = Toy(lengths, seed)
    where = where % steps
    unit = unit % len(toy)
    targets = np.random.default_rng(seed + 1).normal(size=(steps, 3))
    found = find_around(toy, targets, {where: unit}, k=len(toy), continuity=continuity)
    fixed = [path for path in product(range(len(toy)), repeat=steps) if path[where] == unit]
    best = min(cost_of(toy, np.array(path), targets, continuity) for path in fixed)
    rounding = 1e-4 * (1 + continuity)
    assert found.positions[where] == unit
    assert found.cost == pytest.approx(best, abs=rounding)
    assert cost_of(toy, found.positions, targets, continuity) == pytest.approx(best, abs=rounding)


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 999),
    search=st.sampled_from(SEARCHES),
    novelty=st.sampled_from([0.0, 1.0]),
    min_reuse=st.sampled_from([0.0, 0.4]),
    max_run=st.sampled_from([0.2, np.inf]),
    share=st.sampled_from([0.1, 0.5, 1.0]),
)
def test_locking_steps_of_the_best_path_finds_it_again(seed, share, **options):
    toy = Toy([20, 15, 25], seed)
    rng = np.random.default_rng(seed)
    targets = rng.normal(size=(20, 3))
    free = find(toy, targets, k=60, **options)
    locked = {step: int(unit) for step, unit in enumerate(free.positions) if rng.random() <= share}
    again = find_around(toy, targets, locked, k=60, **options)
    if share == 1 or not (
        options["novelty"] or options["min_reuse"] or np.isfinite(options["max_run"])
    ):
        np.testing.assert_array_equal(
            again.positions, free.positions
        )  # where rules look back, another path may turn out cheaper
        np.testing.assert_array_equal(again.joins, free.joins)
    assert all(again.positions[step] == unit for step, unit in locked.items())


def test_locked_everywhere_plays_just_that_whatever_the_rules_say():
    toy = Toy([20, 15, 25], 3)
    rng = np.random.default_rng(4)
    toy.forbidden = np.arange(30)
    targets = rng.normal(size=(12, 3))
    wanted = [*rng.integers(0, 60, size=8), 2, 2, 2, 3]
    rules = {
        "min_reuse": 1.0,
        "max_run": 0.1,
        "rest_threshold": 1e-6,
        "novelty": 1.0,
        "temperature": 1.0,
    }
    for search in SEARCHES:
        path = find_around(
            toy, targets, dict(enumerate(map(int, wanted))), k=3, search=search, **rules
        )
        np.testing.assert_array_equal(path.positions, wanted)
    assert path.joins[-1] == 0  # 3 follows 2
    np.testing.assert_allclose(
        path.distances, np.linalg.norm(toy.vectors[path.positions] - targets, axis=1), rtol=1e-5
    )


def test_another_unit_at_one_step_costs_more_and_its_neighbours_adapt():
    adapted = 0
    for seed in range(8):
        toy = Toy([40, 40], seed)
        targets = np.random.default_rng(seed + 90).normal(size=(40, 3))
        free = find(toy, targets, k=80, continuity=1.0)
        other = (free.positions[20] + 40) % 80
        around = find_around(toy, targets, {20: int(other)}, k=80, continuity=1.0)
        stayed = free.positions
        stayed[20] = other
        assert free.cost < around.cost <= cost_of(toy, stayed, targets, 1.0) + 1e-4
        adapted += int((around.positions != free.positions).sum() > 1)
        np.testing.assert_array_equal(
            around.positions[[0, 39]], free.positions[[0, 39]]
        )  # far from it nothing changes
    assert adapted >= 4


def test_a_locked_rest_parts_the_path_as_a_natural_one_does():
    toy = Toy([30, 30], 7)
    targets = np.random.default_rng(8).normal(size=(9, 3))
    path = find_around(toy, targets, {0: REST, 4: REST}, k=60)
    np.testing.assert_array_equal(path.positions == REST, np.isin(np.arange(9), [0, 4]))
    parts = [find(toy, targets[span], k=60) for span in (slice(1, 4), slice(5, 9))]
    np.testing.assert_array_equal(
        path.positions[path.positions != REST], np.concatenate([part.positions for part in parts])
    )
    assert path.cost == pytest.approx(sum(part.cost for part in parts), rel=1e-5)
    assert (find_around(toy, targets, dict.fromkeys(range(9), REST), k=60).positions == REST).all()
    with pytest.raises(ParameterError, match="rest_threshold=1e-09 leaves nothing to play"):
        find_around(toy, targets, {0: REST}, k=60, rest_threshold=1e-9)


def test_a_locked_step_sounds_where_others_rest():
    toy = Toy([30, 30], 7)
    targets = np.random.default_rng(8).normal(size=(5, 3))
    path = find_around(toy, targets, {2: 13}, k=60, rest_threshold=1e-9)
    assert list(path.positions) == [REST, REST, 13, REST, REST]


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 999),
    search=st.sampled_from(SEARCHES),
    min_reuse=st.sampled_from([0.1, 0.35, 1.0]),
    max_run=st.sampled_from([0.1, 0.3, np.inf]),
    continuity=st.sampled_from([0.0, 2.0]),
)
def test_rules_hold_for_all_steps_but_the_locked(seed, search, min_reuse, max_run, continuity):
    toy = Toy([20, 15, 25], seed)
    rng = np.random.default_rng(seed)
    targets = np.repeat(rng.normal(size=(4, 3)), 10, axis=0)  # what tempts to repetition
    near = find(toy, targets, k=1).positions
    locked = {
        15: int(near[15]),
        16: int(near[15]),
        27: int(near[27]),
    }  # the first of them breaks a rule already
    path = find_around(
        toy,
        targets,
        locked,
        k=50,
        search=search,
        min_reuse=min_reuse,
        max_run=max_run,
        continuity=continuity,
    )
    positions = path.positions
    assert all(path.positions[step] == unit for step, unit in locked.items())
    for step, position in enumerate(positions):
        same = np.flatnonzero(positions == position)
        for other in same[same != step]:
            assert (
                abs(other - step) * HOP / RATE >= min_reuse - 1e-9
                or {step, int(other)} <= locked.keys()
            )
    between = np.split(positions, sorted(locked))  # each but the first begins with a locked one
    for free in (
        part[begin:] for part, begin in zip(between, (0, 1, 1, 1), strict=True) if len(part) > begin
    ):
        assert runs(free, toy.units.source).max() * HOP / RATE <= max_run + 1e-9


def test_whole_units_are_locked_as_long_as_they_are_and_steps_can_be_filled():
    toy = Toy([30], 7)
    make_uneven(toy, 0)
    targets = np.random.default_rng(8).normal(size=(20, 3))
    units = toy.units
    path = find_around(toy, targets, {4: 29, 9: REST}, k=10, whole_units=True, min_reuse=1.0)
    assert (path.positions[4], path.positions[9]) == (29, REST)
    played = path.positions != REST
    np.testing.assert_array_equal(path.n_samples[played], units.n_samples[path.positions[played]])
    assert path.n_samples[9] == HOP
    long = np.full(20, 2500)  # of about 4600
    filled = find_paths(
        toy.index, targets, PathOptions(k=10), step_samples=long, whole_units=True, fill=True
    )[-1]
    nearest = units.samples_left[filled.matches.positions]
    left = units.samples_left[filled.positions]
    assert ((left >= 2500) | (nearest < 2500).all(axis=1)).all()
    unfilled = find_path(toy.index, targets, PathOptions(k=10), step_samples=long, whole_units=True)
    assert (units.samples_left[unfilled.positions] < 2500).any()


def test_locked_steps_are_not_split_and_the_others_are():
    toy = Toy([1, 2, 10], 9)
    path = find_around(toy, np.zeros((3, 3)), {1: 3}, lasting=400, k=3, max_run=0.2)
    assert list(path.steps) == [0, 0, 1, 2, 2]
    assert list(path.n_samples) == [200, 200, 400, 200, 200]
    assert path.positions[2] == 3


def test_variations_differ_around_what_is_locked_and_may_be_alike_if_all_is():
    toy = Toy([60] * 4, 2)
    targets = np.random.default_rng(3).normal(size=(20, 3))
    lasting = np.full(20, HOP)
    first, second = find_paths(
        toy.index,
        targets,
        PathOptions(k=24),
        step_samples=lasting,
        variations=2,
        locked={3: 43, 4: 83},
    )
    assert list(first.positions[3:5]) == list(second.positions[3:5]) == [43, 83]
    assert (first.positions == second.positions).mean() < 0.3
    locked = dict(enumerate(first.positions.tolist()))
    for path in find_paths(
        toy.index, targets, PathOptions(k=24), step_samples=lasting, variations=2, locked=locked
    ):
        np.testing.assert_array_equal(path.positions, first.positions)
        assert path.cost == pytest.approx(
            first.cost, rel=1e-5
        )  # to be like an earlier one is no part of it


@pytest.mark.parametrize(
    ("locked", "message"),
    [
        ({5: 0}, "step 5 cannot be locked: the sequence has steps 0 to 3"),
        ({-1: 0}, "step -1 cannot be locked"),
        ({2: -2}, "step 2: there is no unit at position -2 to lock; positions are 0 to 3"),
        ({2: 4}, "step 2: there is no unit at position 4 to lock"),
        (
            {0: 0, 3: 3},
            (
                "step 3: unit 10 cannot be locked: its source ends after 100 samples and the"
                " step lasts 150; lock"
            ),
        ),
    ],
)
def test_what_cannot_be_locked_is_named(locked, message):
    with pytest.raises(ParameterError, match=message):
        find_around(Toy([4], 1), np.zeros((4, 3)), locked, lasting=150, k=4)
