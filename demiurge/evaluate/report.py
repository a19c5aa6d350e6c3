"""Means, sets compared as a whole, and their intervals, for each method."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from demiurge.evaluate.continuation_folder import MeasuredContinuation
from demiurge.evaluate.distinguish import balanced_accuracy, distance_from_seed, told_apart
from files.errors import ParameterError
from training.bootstrap import Estimate, Statistic, bootstrap_interval, weighted_mean
from training.kernel_distance import Kernels

MEANS = (
    "joins_per_second",
    "pulse",
    "seed_pulse",
    "tempo",
    "grid",
    "grid_chance",
    "harmony",
    "similarity",
    "loudness",
    "silence",
    "seed_silence",
    "longest_run",
    "n_sources",
    "verbatim_share",
)
WHOLE = ("kad", "told_apart", "told_apart_after_seed", "pulse_ratio")


@dataclass(frozen=True)
class MethodReport:
    """The estimates of one method by measure: those of `MEANS` and `WHOLE`."""

    name: str
    n_seeds: int
    estimates: dict[str, Estimate]

    def to_dict(self) -> dict[str, Any]:
        values = {name: estimate.to_dict() for name, estimate in self.estimates.items()}
        return {"method": self.name, "seeds": self.n_seeds, **values}


def report_method(
    name: str,
    continuations: Sequence[MeasuredContinuation],
    following: Sequence[MeasuredContinuation],
) -> MethodReport:
    """Summarise a method's continuations beside the true continuations of the same seeds, in order.

    Intervals are from tracks drawn anew, 1000 times; see `bootstrap`.
    """
    tracks = [one.seed.track for one in continuations]
    estimates = {}
    for measure in MEANS:
        values = np.array([one.measures[measure] for one in continuations])
        estimates[measure] = _estimate(tracks, weighted_mean(values))
    estimates["pulse_ratio"] = _estimate(tracks, _pulse_ratio(continuations))
    estimates["kad"] = _estimate(tracks, _kernel_distance(continuations, following))
    estimates["told_apart"] = _told_apart(continuations, following, lambda one: one.windows)
    estimates["told_apart_after_seed"] = _told_apart(
        continuations,
        following,
        lambda one: distance_from_seed(one.windows, one.seed_windows),
    )
    return MethodReport(name, len(continuations), estimates)


def _estimate(tracks: Sequence[str], statistic: Statistic) -> Estimate:
    value = statistic(np.ones(len(tracks), np.int64))
    return Estimate(value, *bootstrap_interval(tracks, statistic))


def _pulse_ratio(continuations: Sequence[MeasuredContinuation]) -> Statistic:
    """Return the statistic for the mean pulse as a share of the seeds' mean pulse."""
    pulses = np.array([one.measures["pulse"] for one in continuations])
    of_seeds = np.array([one.measures["seed_pulse"] for one in continuations])

    def ratio(counts: np.ndarray) -> float:
        total = counts @ of_seeds
        return float(counts @ pulses / total) if total > 0 else np.nan

    return ratio


def _kernel_distance(
    continuations: Sequence[MeasuredContinuation], following: Sequence[MeasuredContinuation]
) -> Statistic:
    """Return the statistic for the distance of all windows from those of true continuations."""
    tracks = [one.seed.track for one in continuations]
    _, first, track_of = np.unique(tracks, return_index=True, return_inverse=True)
    groups, reference_groups = (
        np.repeat(track_of, [len(one.windows) for one in part])
        for part in (continuations, following)
    )
    kernels = Kernels.of(_windows(continuations), _windows(following))
    grouped = kernels.by_group(groups, reference_groups)
    return lambda counts: grouped.distance(counts[first])


def _told_apart(
    continuations: Sequence[MeasuredContinuation],
    following: Sequence[MeasuredContinuation],
    describe: Callable[[MeasuredContinuation], np.ndarray],
) -> Estimate:
    """Return the share of windows told from true continuations; NaN for seeds of one track.

    `describe` returns what the classifier sees of each window, (n_windows, d).
    """
    parts = [describe(one) for one in [*continuations, *following]]
    n_seeds = len(continuations)
    seed_of = np.repeat(np.arange(2 * n_seeds) % n_seeds, [len(rows) for rows in parts])
    is_true = np.repeat(np.arange(2 * n_seeds) >= n_seeds, [len(rows) for rows in parts])
    tracks = [one.seed.track for one in continuations]
    try:
        is_right = told_apart(
            np.concatenate(parts), is_true, [tracks[number] for number in seed_of]
        )
    except ParameterError:
        return Estimate(np.nan, np.nan, np.nan)
    return _estimate(tracks, lambda counts: balanced_accuracy(is_right, is_true, counts[seed_of]))


def _windows(continuations: Sequence[MeasuredContinuation]) -> np.ndarray:
    return np.concatenate([one.windows for one in continuations])
