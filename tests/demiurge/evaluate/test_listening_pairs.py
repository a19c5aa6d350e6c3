"""Which pairs of methods are compared."""

from collections import Counter

import numpy as np
import pytest

from demiurge.evaluate.listening_pairs import Pair, choose_pairs


def choose(methods: list[list[str]], random_seed: int = 0, **options: int) -> list[Pair]:
    return choose_pairs(methods, np.random.default_rng(random_seed), **options)


def compared(pair: Pair) -> tuple[int, frozenset[str]]:
    return pair.trial, frozenset([pair.a, pair.b])


def test_every_pair_of_every_trial_is_compared_once():
    pairs = choose([["x", "y", "z"], ["y", "x"]])
    assert Counter(map(compared, pairs)) == {
        (0, frozenset("xy")): 1,
        (0, frozenset("xz")): 1,
        (0, frozenset("yz")): 1,
        (1, frozenset("xy")): 1,
    }


@pytest.mark.parametrize("random_seed", range(5))
def test_part_of_the_pairs_is_balanced(random_seed):
    pairs = choose([["v", "w", "x", "y", "z"]] * 24, random_seed)
    assert len(pairs) == 40
    assert len(set(map(compared, pairs))) == 40
    assert set(Counter(frozenset([pair.a, pair.b]) for pair in pairs).values()) == {4}
    of_trials = Counter(pair.trial for pair in pairs)
    assert set(of_trials) == set(range(24))
    assert max(of_trials.values()) <= 3


@pytest.mark.parametrize("random_seed", range(5))
def test_each_method_is_on_either_side_about_equally_often(random_seed):
    pairs = choose([["x", "y", "z"]] * 12, random_seed)
    for method in "xyz":
        sides = Counter(
            "a" if pair.a == method else "b" for pair in pairs if method in (pair.a, pair.b)
        )
        assert abs(sides["a"] - sides["b"]) <= 2


def test_random_seed_decides_order_and_sides():
    methods = [["x", "y"]] * 20
    assert choose(methods, 1) == choose(methods, 1)
    assert [pair.trial for pair in choose(methods, 1)] != [
        pair.trial for pair in choose(methods, 2)
    ]
    assert [pair.trial for pair in choose(methods, 1)] != sorted(range(20))
    assert len({tuple(pair.a for pair in choose(methods, seed)) for seed in range(4)}) == 4


def test_order_of_the_methods_decides_nothing():
    assert choose([["x", "y", "z"]] * 4) == choose([["z", "x", "y"]] * 4)
