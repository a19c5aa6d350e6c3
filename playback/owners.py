"""Which source each pixel column of a picture belongs to."""

from collections import Counter

import numpy as np

from playback.plan import Plan

NAMED_SOURCES = 12  # as many as a legend can tell apart; the rest are grey


def find_owners(plan: Plan, edges: np.ndarray) -> tuple[list[str], np.ndarray]:
    """Find the source that has most of each column.

    Returns
    -------
    names : list of str
        The sources that are named, the most played first.
    owners : ndarray, shape (len(edges) - 1,)
        For each column the number of its source in `names`; len(names) is another one, -1 none.
    """
    lengths: Counter[str] = Counter()
    for step in plan.steps:
        lengths[step.source] += step.n_samples
    names = [source for source, _ in lengths.most_common(NAMED_SOURCES)]
    spans: list[list[tuple[int, int]]] = [[] for _ in range(len(names) + 1)]
    for step in plan.steps:
        number = names.index(step.source) if step.source in names else -1
        spans[number].append((step.at_sample, step.until_sample))
    shares = np.array([_covered(np.array(span).reshape(-1, 2), edges) for span in spans])
    return names, np.where(shares.max(axis=0) > 0, shares.argmax(axis=0), -1)


def _covered(spans: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Return how much of each interval between edges the spans (start, end), in order, cover."""
    covered = np.concatenate([[0], np.cumsum(spans[:, 1] - spans[:, 0])])  # before each span
    places = np.concatenate([[0], spans.ravel()])
    return np.diff(np.interp(edges, places, np.repeat(covered, 2)[:-1]))
