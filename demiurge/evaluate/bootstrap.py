"""Bootstrap confidence intervals over groups (Efron and Tibshirani, 1993, chapter 13).

Seeds of one track resemble each other, so tracks are drawn, with replacement, each with all of its
seeds. An interval over seeds would be too narrow.
"""

from collections.abc import Callable, Sequence

import numpy as np

RESAMPLES = 1000
CONFIDENCE = 0.95

Statistic = Callable[[np.ndarray], float]  # of counts (n,): how often each item was drawn


def bootstrap_interval(
    groups: Sequence[str],
    statistic: Statistic,
    *,
    resamples: int = RESAMPLES,
    random_seed: int = 0,
) -> tuple[float, float]:
    """Return the 95 % percentile interval of a statistic.

    Parameters
    ----------
    groups : sequence of str, length n
        The group of each item, such as the track of each seed.
    statistic : callable
        Takes how often each item was drawn, int, shape (n,). Where it is NaN, the draw is left out.

    Returns
    -------
    lower, upper : float
        NaN if there is one group only, which says nothing about others.
    """
    names, group_of = np.unique(np.asarray(groups), return_inverse=True)
    if len(names) < 2:
        return np.nan, np.nan
    random = np.random.default_rng(random_seed)
    draws = random.multinomial(len(names), np.full(len(names), 1 / len(names)), size=resamples)
    values = np.array([statistic(counts[group_of]) for counts in draws])
    values = values[~np.isnan(values)]
    if not len(values):
        return np.nan, np.nan
    tail = (1 - CONFIDENCE) / 2
    lower, upper = np.quantile(values, [tail, 1 - tail])
    return float(lower), float(upper)


def weighted_mean(values: np.ndarray) -> Statistic:
    """Return the statistic for the mean of values (n,); NaN is left out."""
    is_known = ~np.isnan(values)
    known = np.where(is_known, values, 0.0)

    def mean(counts: np.ndarray) -> float:
        total = (counts * is_known).sum()
        return float((counts * known).sum() / total) if total else np.nan

    return mean


def interval_of_mean(values: np.ndarray, groups: Sequence[str]) -> tuple[float, float]:
    """Return the 95 % interval of the mean of values (n,), NaN left out."""
    return bootstrap_interval(groups, weighted_mean(values))
