"""Paths over small made-up databases, against brute force and the rules."""

from itertools import pairwise, product
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from db.database import Units
from db.errors import ParameterError
from query.index import Matches
from query.metrics import parse_metric
from query.options import SEARCHES, PathOptions
from query.path import select_path

HOP, RATE = 100, 1000  # ten units a second


class Toy:
    """Stands for a `UnitIndex`: sources of random units in z-scored space."""

    def __init__(self, lengths, seed, width=3):
        rng = np.random.default_rng(seed)
        n = sum(lengths)
        self.vectors = rng.normal(size=(n, width)).astype(np.float32)
        self.metric, self.factors = parse_metric("l2"), np.ones(width, np.float32)
        source = np.repeat(np.arange(len(lengths)), lengths)
        left = np.concatenate([np.arange(length, 0, -1) for length in lengths]) * HOP
        units = Units(np.arange(n) + 7, source, np.zeros(n, np.int64), np.full(n, HOP), left)
        names = tuple(f"x{i}" for i in range(width))
        self.database = SimpleNamespace(
            units=units, sample_rate=RATE, settings=SimpleNamespace(names=names), rows_at=lambda at: self.vectors[at]
        )
        self.allowed = np.ones(n, bool)

    def __len__(self):
        return len(self.vectors)

    def positions(self, ids):
        return np.asarray(ids) - 7

    def compared(self, rows):
        return np.asarray(rows, np.float32)

    normalise = compared

    def scores(self, at):
        return self.vectors[at]

    def search(self, sequence, *, k):
        distances = np.linalg.norm(self.vectors - np.asarray(sequence)[:, None], axis=2)
        order = distances.argsort(axis=1)[:, :k]
        return Matches(order + 7, np.take_along_axis(distances, order, axis=1).astype(np.float32))


def find(toy, targets, **options):
    return select_path(toy, targets, PathOptions(**options), step_samples=np.full(len(targets), HOP))


def cost_of(toy, positions, targets, continuity):
    """From the definition."""
    cost = np.linalg.norm(toy.vectors[positions] - targets, axis=1).sum()
    for a, b in pairwise(positions):
        last = a + 1 == len(toy) or toy.database.units.source[a + 1] != toy.database.units.source[a]
        if last or b != a + 1:
            cost += continuity * np.linalg.norm(toy.vectors[a if last else a + 1] - toy.vectors[b])
    return cost


def runs(positions, source):
    """Lengths in steps of what plays on in one source."""
    goes_on = (np.diff(positions) == 1) & (np.diff(source[positions]) == 0)
    edges = np.flatnonzero(np.concatenate([[True], ~goes_on, [True]]))
    return np.diff(edges)


cases = {
    "lengths": st.lists(st.integers(1, 3), min_size=1, max_size=3),
    "steps": st.integers(1, 4),
    "seed": st.integers(0, 999),
    "continuity": st.sampled_from([0.0, 0.2, 1.0, 5.0]),
}


@settings(deadline=None, max_examples=300)
@given(**cases)
def test_viterbi_costs_what_brute_force_does(lengths, steps, seed, continuity):
    toy = Toy(lengths, seed)
    targets = np.random.default_rng(seed + 1).normal(size=(steps, 3))
    found = find(toy, targets, k=len(toy), continuity=continuity)
    best = min(cost_of(toy, np.array(path), targets, continuity) for path in product(range(len(toy)), repeat=steps))
    rounding = 1e-4 * (1 + continuity)
    assert found.cost == pytest.approx(best, abs=rounding)
    assert cost_of(toy, toy.positions(found.units), targets, continuity) == pytest.approx(best, abs=rounding)


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 999), k=st.integers(1, 12), continuity=st.sampled_from([0.0, 0.3, 3.0]),
    novelty=st.sampled_from([0.0, 1.0]), min_reuse=st.sampled_from([0.0, 0.4]), temperature=st.sampled_from([0.0, 0.5]),
)  # fmt: skip
def test_viterbi_and_beam_are_never_worse_than_greedy(seed, k, **options):
    toy = Toy([9, 4, 17, 1], seed)
    targets = np.random.default_rng(seed + 1).normal(size=(15, 3))
    try:
        greedy = find(toy, targets, k=k, search="greedy", **options)
    except ParameterError:
        return  # greedy ran into a dead end
    for search in ("viterbi", "beam"):
        assert find(toy, targets, k=k, search=search, **options).cost <= greedy.cost + 1e-6


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 999), search=st.sampled_from(SEARCHES), min_reuse=st.sampled_from([0.1, 0.35, 1.0]),
    max_run=st.sampled_from([0.1, 0.3, np.inf]), continuity=st.sampled_from([0.0, 2.0]),
)  # fmt: skip
def test_rules_hold_on_every_path(seed, search, min_reuse, max_run, continuity):
    toy = Toy([20, 15, 25], seed)
    targets = np.repeat(np.random.default_rng(seed).normal(size=(4, 3)), 10, axis=0)  # what tempts to repetition
    path = find(toy, targets, k=30, search=search, continuity=continuity, min_reuse=min_reuse, max_run=max_run)
    positions = toy.positions(path.units)
    for position in set(positions):
        assert (np.diff(np.flatnonzero(positions == position)) * HOP / RATE >= min_reuse - 1e-9).all()
    longest = runs(positions, toy.database.units.source).max() * HOP / RATE
    assert longest <= max_run + 1e-9


def test_rules_that_leave_nothing_are_named():
    toy = Toy([2], 0)
    with pytest.raises(ParameterError, match=r"step 2: min_reuse=1 s and max_run=inf s leave none of .* candidates to play"):
        find(toy, np.zeros((3, 3)), k=2, min_reuse=1.0)


def test_runs_grow_with_continuity():
    toy = Toy([200] * 5, 3)
    targets = np.random.default_rng(4).normal(size=(150, 3))
    lengths = [
        runs(toy.positions(find(toy, targets, k=16, continuity=c).units), toy.database.units.source).mean()
        for c in (0, 0.1, 0.3, 1, 3)
    ]
    assert lengths == sorted(lengths)
    assert lengths[-1] > 2 * lengths[0]


def test_entropy_of_what_is_used_grows_with_novelty():
    toy = Toy([100] * 5, 5)
    targets = np.tile(np.random.default_rng(6).normal(size=(5, 3)), (60, 1))
    entropies = []
    for novelty in (0.0, 0.3, 1.0, 3.0):
        _, counts = np.unique(find(toy, targets, k=32, novelty=novelty).units, return_counts=True)
        share = counts / counts.sum()
        entropies.append(-(share * np.log2(share)).sum())
    assert entropies == sorted(entropies)
    assert entropies[-1] > entropies[0] + 2


def test_temperature_draws_as_boltzmann_and_the_same_seed_draws_the_same():
    toy = Toy([4], 1)
    targets = np.zeros((20_000, 3))
    path = find(toy, targets, k=4, continuity=0.0, temperature=0.7, seed=5)
    weights = np.exp(-np.linalg.norm(toy.vectors, axis=1) / 0.7)
    shares = np.bincount(toy.positions(path.units), minlength=4) / len(targets)
    np.testing.assert_allclose(shares, weights / weights.sum(), atol=0.015)
    again, other = (find(toy, targets[:50], k=4, temperature=0.7, seed=seed).units for seed in (5, 6))
    np.testing.assert_array_equal(again, find(toy, targets[:50], k=4, temperature=0.7, seed=5).units)
    assert (again != other).any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"search": "magic"}, "search='magic' must be one of viterbi, beam, greedy"),
        ({"novelty": -1.0}, "novelty=-1.0 must be a finite number of at least 0"),
        ({"min_reuse": float("nan")}, "min_reuse=nan must be"),
        ({"max_run": 0.0}, "max_run=0.0 must be above 0"),
        ({"temperature": -0.1}, "temperature=-0.1 must be"),
    ],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(ParameterError, match=message):
        PathOptions(**options)
