"""Find the source to which each pixel column of a picture belongs."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from playback.plan import Plan
from playback.steps import Step

NAMED_SOURCES = 12  # as many colours as one can tell apart; other sources are grey


def find_owners(plan: Plan, edges: np.ndarray) -> tuple[list[str], np.ndarray]:
    """Find the source that covers most of each column.

    Returns
    -------
    names : list of str
        The sources that are named, the most played first; of several databases, all.
    owners : ndarray, shape (len(edges) - 1,)
        For each column the index of its source in `names`; len(names) for an unnamed source, -1
        for none.
    """
    lengths: Counter[str] = Counter()
    for step in plan.steps:
        lengths[step.source] += step.n_samples
    n_named = None if plan.roots.several else NAMED_SOURCES
    names = [source for source, _ in lengths.most_common(n_named)]
    voices = [_shares(plan.steps[voice.start : voice.stop], names, edges) for voice in plan.voices]
    return names, _largest(np.sum(voices, axis=0))


def find_owners_of_voices(plan: Plan, names: list[str], edges: np.ndarray) -> np.ndarray:
    """Return the owners of each voice's columns as `find_owners`, (n_voices, len(edges) - 1)."""
    return np.array(
        [
            _largest(_shares(plan.steps[voice.start : voice.stop], names, edges))
            for voice in plan.voices
        ]
    )


def _largest(shares: np.ndarray) -> np.ndarray:
    """Return the row with the largest share of each column, -1 where all are 0."""
    return np.where(shares.max(axis=0) > 0, shares.argmax(axis=0), -1)


def _shares(steps: Sequence[Step], names: list[str], edges: np.ndarray) -> np.ndarray:
    """Return how many samples of each column are of each named source, and of all others.

    `steps` are of one voice; the result has shape (len(names) + 1, len(edges) - 1).
    """
    numbers = {name: number for number, name in enumerate(names)}
    played: list[list[tuple[int, int]]] = [[] for _ in range(len(names) + 1)]
    for step in steps:
        number = numbers.get(step.source, len(names))
        played[number].append((step.at_sample, step.until_sample))
    return np.array([_covered(parts, edges) for parts in played])


def _covered(parts: list[tuple[int, int]], edges: np.ndarray) -> np.ndarray:
    """Return how much of each interval between edges is covered by ordered parts (start, end)."""
    ends = np.array(parts).reshape(-1, 2)
    lengths = ends[:, 1] - ends[:, 0]
    covered = np.concatenate([[0], np.cumsum(lengths)])  # before each part
    places = np.concatenate([[0], ends.ravel()])
    until_place = np.repeat(covered, 2)[:-1]
    return np.diff(np.interp(edges, places, until_place))
