"""Means, sets compared as a whole, and their intervals, for each method."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from demiurge.evaluate.bootstrap import Statistic, bootstrap_interval, weighted_mean
from demiurge.evaluate.distinguish import balanced_accuracy, told_apart
from demiurge.evaluate.renderings import Rendering, without_nan
from files.errors import ParameterError
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
WHOLE = ("kad", "told_apart", "pulse_ratio")


@dataclass(frozen=True)
class Estimate:
    """A value with its 95 % interval; NaN where there is none."""

    value: float
    lower: float
    upper: float

    def to_dict(self) -> dict[str, float | None]:
        """Return it for JSON; None for NaN."""
        return without_nan(asdict(self))


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
    name: str, renderings: Sequence[Rendering], following: Sequence[Rendering]
) -> MethodReport:
    """Summarise a method's renderings beside the true continuations of the same seeds, in order.

    Intervals are from tracks drawn anew, 1000 times; see `bootstrap`.
    """
    tracks = [rendering.seed.track for rendering in renderings]
    estimates = {}
    for measure in MEANS:
        values = np.array([rendering.measures[measure] for rendering in renderings])
        estimates[measure] = _estimate(tracks, weighted_mean(values))
    estimates["pulse_ratio"] = _estimate(tracks, _pulse_ratio(renderings))
    estimates["kad"] = _estimate(tracks, _kernel_distance(renderings, following))
    estimates["told_apart"] = _told_apart(renderings, following)
    return MethodReport(name, len(renderings), estimates)


def _estimate(tracks: Sequence[str], statistic: Statistic) -> Estimate:
    value = statistic(np.ones(len(tracks), np.int64))
    return Estimate(value, *bootstrap_interval(tracks, statistic))


def _pulse_ratio(renderings: Sequence[Rendering]) -> Statistic:
    """Return the statistic for the mean pulse as a share of the seeds' mean pulse."""
    pulses = np.array([rendering.measures["pulse"] for rendering in renderings])
    of_seeds = np.array([rendering.measures["seed_pulse"] for rendering in renderings])

    def ratio(counts: np.ndarray) -> float:
        total = counts @ of_seeds
        return float(counts @ pulses / total) if total > 0 else np.nan

    return ratio


def _kernel_distance(renderings: Sequence[Rendering], following: Sequence[Rendering]) -> Statistic:
    """Return the statistic for the distance of all windows from those of true continuations."""
    kernels = Kernels.of(_windows(renderings), _windows(following))
    counts_of = [len(rendering.windows) for rendering in renderings]
    following_counts = [len(rendering.windows) for rendering in following]

    def distance(counts: np.ndarray) -> float:
        return kernels.distance(np.repeat(counts, counts_of), np.repeat(counts, following_counts))

    return distance


def _told_apart(renderings: Sequence[Rendering], following: Sequence[Rendering]) -> Estimate:
    """Return the share of windows told from true continuations; NaN for seeds of one track."""
    seed_of = np.concatenate(
        [
            np.repeat(np.arange(len(part)), [len(rendering.windows) for rendering in part])
            for part in (renderings, following)
        ]
    )
    tracks = [rendering.seed.track for rendering in renderings]
    rows = np.concatenate([_windows(renderings), _windows(following)])
    is_true = np.repeat([False, True], [len(_windows(renderings)), len(_windows(following))])
    try:
        is_right = told_apart(rows, is_true, [tracks[number] for number in seed_of])
    except ParameterError:
        return Estimate(np.nan, np.nan, np.nan)
    return _estimate(tracks, lambda counts: balanced_accuracy(is_right, is_true, counts[seed_of]))


def _windows(renderings: Sequence[Rendering]) -> np.ndarray:
    return np.concatenate([rendering.windows for rendering in renderings])
