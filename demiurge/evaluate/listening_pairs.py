"""Choose the pairs of methods that listeners compare: balanced, shuffled, sides at random."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

MOST_PAIRS = 40  # about 40 minutes of listening


@dataclass(frozen=True)
class Pair:
    """Two methods that continue the same seed: `a` and `b`, as the listener meets them."""

    trial: int
    a: str
    b: str


def choose_pairs(
    methods: Sequence[Sequence[str]], rng: np.random.Generator, *, most: int = MOST_PAIRS
) -> list[Pair]:
    """Return every pair of the methods of each trial, or a balanced part of them, shuffled.

    If there are more than `most`, every pair of methods and every trial is taken about equally
    often. Every method is `a` about as often as `b`.

    Parameters
    ----------
    methods : sequence of sequences of str
        The names of the methods of each trial.
    """
    left = [
        (trial, names)
        for trial, of_trial in enumerate(methods)
        for names in combinations(sorted(of_trial), 2)
    ]
    _shuffle(left, rng)
    taken: Counter[int | tuple[str, ...]] = Counter()
    balance: Counter[str] = Counter()
    pairs: list[Pair] = []
    while left and len(pairs) < most:
        trial, names = min(left, key=lambda one: (taken[one[1]], taken[one[0]]))
        left.remove((trial, names))
        taken.update([trial, names])
        pairs.append(_choose_sides(trial, list(names), balance, rng))
    _shuffle(pairs, rng)
    return pairs


def _choose_sides(
    trial: int, names: list[str], balance: Counter[str], rng: np.random.Generator
) -> Pair:
    """Make the method `a` that was `a` less often so far; `balance` counts a as 1, b as -1."""
    _shuffle(names, rng)
    a, b = sorted(names, key=lambda name: balance[name])
    balance[a] += 1
    balance[b] -= 1
    return Pair(trial, a, b)


def _shuffle(items: list, rng: np.random.Generator) -> None:
    items[:] = [items[k] for k in rng.permutation(len(items))]
