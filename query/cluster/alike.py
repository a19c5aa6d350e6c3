"""The share of a corpus in shards that sounds most like something: a threshold for all of them."""

from dataclasses import replace

import numpy as np

from db.database import Database
from query.apply_filters import apply_filters
from query.cluster.corpus import Part
from query.cluster.paged import PagedDatabase
from query.cluster.parts import on_each_part
from query.filters import Filters
from query.likeness import Likeness, likeness_of, n_most_alike

PROBES = 2048  # thresholds counted at once: three rounds find one of 2³² numbers
SIGN = np.uint32(1 << 31)


def settle_likeness(database: Database, filters: Filters) -> Filters:
    """Return filters that each shard can apply by itself, with the same result.

    Raises
    ------
    ParameterError
        As `query.apply_filters.filter_units`.
    """
    like = filters.like
    if not isinstance(database, PagedDatabase) or like is None or filters.like_has_condition:
        return filters
    others = replace(filters, like=None)

    def count(thresholds: np.ndarray) -> np.ndarray:
        return np.sum(on_each_part(database, _count_alike, others, like, thresholds), axis=0)

    least = 0
    above = 1 << 32
    n_kept = n_most_alike(int(count(np.array([least]))[0]))
    while above - least > 1 and n_kept:
        probes = np.unique(np.linspace(least, above, PROBES, endpoint=False).astype(np.int64))
        enough = probes[count(probes) >= n_kept]
        least = int(enough[-1])
        above = int(probes[len(enough)]) if len(enough) < len(probes) else above
    return replace(filters, like=replace(like, least=float(_in_order(np.uint32(least)))))


def _count_alike(
    part: Part, filters: Filters, like: Likeness, thresholds: np.ndarray
) -> np.ndarray:
    """Return how many units of a part that pass the filters are at least so alike, int64.

    Thresholds are numbers that `_numbers` gives.
    """
    allowed, _ = apply_filters(part.database, filters)
    numbers = np.sort(_numbers(likeness_of(part.database, like)[allowed]))
    return len(numbers) - np.searchsorted(numbers, thresholds)


def _numbers(values: np.ndarray) -> np.ndarray:
    """Return 32 bit numbers, as int64, in the order of float32 values."""
    bits = np.asarray(values, np.float32).view(np.uint32)
    return np.where(bits & SIGN, ~bits, bits | SIGN).astype(np.int64)


def _in_order(number: np.uint32) -> np.float32:
    """Return the value that has a number."""
    bits = number & ~SIGN if number & SIGN else ~number
    return np.uint32(bits).view(np.float32)
