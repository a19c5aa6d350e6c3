"""Bootstrap confidence intervals over groups (Efron and Tibshirani, 1993, chapter 13).

Items of one group resemble each other, such as seeds of one track or windows of one clip. So groups
are drawn, with replacement, each with all of its items; an interval over items would be too narrow.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np

RESAMPLES = 1000
CONFIDENCE = 0.95

Statistic = Callable[[np.ndarray], float]  # of counts (n,): how often each item was drawn


@dataclass(frozen=True)
class Estimate:
    """A value with its 95 % interval; NaN where there is none."""

    value: float
    lower: float
    upper: float

    def to_dict(self) -> dict[str, float | None]:
        """Return it for JSON; None for NaN."""
        return {name: None if math.isnan(v) else v for name, v in asdict(self).items()}


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
    draws = draw_counts(len(names), resamples=resamples, random_seed=random_seed)
    return percentile_interval([statistic(counts[group_of]) for counts in draws])


def draw_counts(
    *sizes: int, resamples: int = RESAMPLES, random_seed: int | Sequence[int] = 0
) -> np.ndarray:
    """Draw sets anew, each from itself: how often each group is drawn, (resamples, sum of sizes).

    `sizes` are the numbers of groups in each set.
    """
    random = np.random.default_rng(random_seed)
    draws = [random.multinomial(n, np.full(n, 1 / n), size=resamples) for n in sizes]
    return np.concatenate(draws, axis=1)


def percentile_interval(values: Sequence[float]) -> tuple[float, float]:
    """Return the middle 95 % of resampled values, NaN left out; NaN if there is no other."""
    known = np.array([value for value in values if not np.isnan(value)])
    if not len(known):
        return np.nan, np.nan
    tail = (1 - CONFIDENCE) / 2
    lower, upper = np.quantile(known, [tail, 1 - tail])
    return float(lower), float(upper)


def centred_interval(value: float, values: Sequence[float]) -> tuple[float, float]:
    """Return the middle 95 % of resampled values, moved so that their mean is `value`.

    For statistics that grow when items are repeated, such as the distance of two distributions:
    their resampled values lie too high by themselves, and may all lie above `value`.
    """
    lower, upper = percentile_interval(values)
    if np.isnan(lower):
        return np.nan, np.nan
    shift = value - float(np.nanmean(values))
    return lower + shift, upper + shift


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


def estimate_mean(values: np.ndarray) -> Estimate:
    """Estimate the mean of values (n,), each a group of its own; NaN is left out."""
    mean = float(np.nanmean(values)) if not np.isnan(values).all() else np.nan
    names = [str(number) for number in range(len(values))]
    return Estimate(mean, *interval_of_mean(values, names))
