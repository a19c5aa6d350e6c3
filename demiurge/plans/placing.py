"""Place units on a grid of steps, such as the beats of a seed.

grid       |         |         |         |         |        at_sample of each step
cut        |▇▇▇▇▇▇▇▇▇|▇▇▇▇▇▇▇▇▇|                            units longer than their steps
rings      |▇▇▇▇▇▇▇  |▇▇▇▇▇▇▇  |▇▇▇▇▇▇▇                     shorter ones, then silence
stretched  |▇▇▇▇▇▇▇▇▇|▇▇▇▇▇▇▇▇▇|▇▇▇▇▇▇▇▇▇|                  a run by one factor

A *run* is a part of the path whose units follow one another in their source. It starts on the
grid. Within it, units may start a little off the grid, so that the run need not be parted: two
attacks 10 ms apart are heard as one, and players are off by more. Where too much would come
together, the run is parted, and its second part starts on the grid.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from db.unit_table import Units
from files.errors import ParameterError
from query.refine_joins import Join

TOLERANCE_MS = 10.0  # of an attack's place
CLOSED_MS = 10.0  # a gap up to this is closed with what follows the unit
SAME_TEMPO = 0.02  # runs whose factor is nearer to 1 are not stretched
STRETCH_DECIMALS = 9
# beyond these factors stretching is heard as an effect
LOWEST_FACTOR = 0.5
HIGHEST_FACTOR = 2.0


@dataclass(frozen=True)
class Placement:
    """When and how the units of a path are played; arrays of shape (n,).

    Attributes
    ----------
    start_sample, n_samples, at_sample : ndarray, int64
        Start in the source, length in the output, and start in the output.
    stretch : ndarray, float64
        1 for units that are not stretched.
    """

    start_sample: np.ndarray
    n_samples: np.ndarray
    at_sample: np.ndarray
    stretch: np.ndarray

    def of_step(self, number: int) -> dict[str, Any]:
        """Return the fields of a step."""
        return {
            "start_sample": int(self.start_sample[number]),
            "n_samples": int(self.n_samples[number]),
            "at_sample": int(self.at_sample[number]),
            "stretch": round(float(self.stretch[number]), STRETCH_DECIMALS),
        }


def place_on_grid(
    positions: np.ndarray,
    units: Units,
    step_samples: np.ndarray,
    *,
    sample_rate: int,
    stretch: bool,
    first_offset: int = 0,
    tolerance_ms: float = TOLERANCE_MS,
) -> Placement:
    """Place a path of units on the grid that steps of given lengths make.

    Steps do not overlap. A run starts on the grid. With
    `stretch`, a run is stretched to the length of its steps, by one factor if that keeps its units
    so near to the grid, else in parts. A factor that differs from 1 by 2 % or less, or is not
    within 0.5 to 2, becomes 1.

    A unit that is not stretched is cut where the next one starts. If it ends before, its source
    goes on for a gap of up to 10 ms; a longer gap remains silent, because the attack of the unit
    that follows in the source would be heard.

    Parameters
    ----------
    positions : ndarray, int64, shape (n,)
        The units of the path, in `units`.
    step_samples : ndarray, int64, shape (n,)
        Lengths of the steps, each at least 1.
    stretch : bool
        Whether units may be stretched, which needs `playback.transform.can_transform`.
    first_offset : int
        Samples that are left out at the start of the first unit, of which only the rest is played.
    tolerance_ms : float
        How far off the grid a unit within a run may start.

    Raises
    ------
    ParameterError
        If there is no unit at a position, a step has no samples, or the first unit has no more
        than `first_offset`.
    """
    _check(positions, units, step_samples, first_offset)
    starts = units.start_sample[positions]
    lengths = units.n_samples[positions]
    left = units.samples_left[positions]
    starts[0] += first_offset
    lengths[0] -= first_offset
    left[0] -= first_offset
    tolerance = round(tolerance_ms * sample_rate / 1000)
    closed = round(CLOSED_MS * sample_rate / 1000)
    grid = np.concatenate([[0], np.cumsum(step_samples)])
    placer = _Placer(grid, lengths, left, tolerance, closed, stretch)
    for first, stop in pairwise([*run_starts(positions, units), len(positions)]):
        placer.place(first, stop)
    return Placement(starts, placer.n_samples, placer.at_sample, placer.stretch)


def place_in_turn(
    positions: np.ndarray, units: Units, n_samples: np.ndarray, moved: Mapping[int, Join]
) -> Placement:
    """Place a path of units one after the other, with some of the joins moved.

    The last unit is as long as the whole needs, if its source lasts so long.

    Parameters
    ----------
    n_samples : ndarray, int64, shape (n,)
        How long each unit is played.
    moved : mapping of int to Join
        How the join before a step is moved.
    """
    starts = units.start_sample[positions]
    lengths = n_samples.copy()
    for step, join in moved.items():
        lengths[step - 1] += join.end_shift
        lengths[step] -= join.start_shift
        starts[step] += join.start_shift
    left = units.start_sample[positions[-1]] + units.samples_left[positions[-1]] - starts[-1]
    rest = n_samples.sum() - lengths[:-1].sum()
    lengths[-1] = np.clip(rest, 1, left)
    at_sample = np.cumsum(lengths) - lengths
    return Placement(starts, lengths, at_sample, np.ones(len(positions)))


def run_starts(positions: np.ndarray, units: Units) -> list[int]:
    """Return the first step of each run of a path; a step goes on if its unit follows the last."""
    goes_on = units.successors(positions[:-1]) == positions[1:]
    return [0, *(np.flatnonzero(~goes_on) + 1).tolist()]


def _check(
    positions: np.ndarray, units: Units, step_samples: np.ndarray, first_offset: int
) -> None:
    if not len(positions) or len(positions) != len(step_samples):
        raise ParameterError(
            f"{len(positions)} positions and {len(step_samples)} steps must be as many, at least 1"
        )
    if positions.min() < 0 or positions.max() >= len(units):
        raise ParameterError(
            f"positions {positions.min()} to {positions.max()} must be within the"
            f" {len(units)} units; leave rests out"
        )
    if step_samples.min() < 1:
        raise ParameterError(f"step_samples={step_samples.min()} must be at least 1")
    n_first = units.n_samples[positions[0]]
    if not 0 <= first_offset < n_first:
        raise ParameterError(
            f"first_offset={first_offset} must be 0 to {n_first - 1}, within the first unit"
        )


class _Placer:
    """Places runs, given as their first step and the one after their last."""

    def __init__(
        self,
        grid: np.ndarray,
        lengths: np.ndarray,
        left: np.ndarray,
        tolerance: int,
        closed: int,
        may_stretch: bool,
    ) -> None:
        self._grid = grid
        self._lengths = lengths
        self._left = left
        self._tolerance = tolerance
        self._closed = closed
        self._may_stretch = may_stretch
        self.n_samples = np.zeros(len(lengths), np.int64)
        self.at_sample = np.zeros(len(lengths), np.int64)
        self.stretch = np.ones(len(lengths))

    def place(self, first: int, stop: int) -> None:
        """Place a run; where one factor does not do, part it at the unit that is off the most."""
        waiting = [(first, stop)]
        while waiting:
            first, stop = waiting.pop()
            factor = self._factor(first, stop)
            if factor == 1:
                for part in self._parts(first, stop):
                    self._place_as_it_is(*part)
                continue
            ends = np.round(np.cumsum(self._lengths[first:stop]) * factor).astype(np.int64)
            places = np.concatenate([[0], ends])
            off = np.abs(places - (self._grid[first : stop + 1] - self._grid[first]))
            if off.max() <= self._tolerance and np.diff(places).min() >= 1:
                self.at_sample[first:stop] = self._grid[first] + places[:-1]
                self.n_samples[first:stop] = np.diff(places)
                self.stretch[first:stop] = factor
            else:
                middle = first + max(1, int(off.argmax()))
                waiting += [(first, middle), (middle, stop)]

    def _factor(self, first: int, stop: int) -> float:
        """Return the factor that brings a run to the length of its steps, or 1; see above."""
        given = self._grid[stop] - self._grid[first]
        factor = float(given / self._lengths[first:stop].sum())
        in_range = LOWEST_FACTOR <= factor <= HIGHEST_FACTOR
        if not self._may_stretch or not in_range or abs(factor - 1) <= SAME_TEMPO:
            return 1.0
        return factor

    def _parts(self, first: int, stop: int) -> Iterator[tuple[int, int]]:
        """Part a run so that its units stay near the grid while it goes on.

        It is parted one unit before it would be off by too much: then what is cut or closed is
        short.
        """
        begin = first
        at = int(self._grid[first])
        for step in range(first, stop):
            following = at + int(self._lengths[step])
            is_off = abs(at - self._grid[step]) > self._tolerance
            too_long = step + 1 < stop and following - self._grid[step + 1] > self._tolerance
            too_short = self._grid[step + 1] - following > self._tolerance
            if step > begin and (is_off or too_long or too_short or at >= self._grid[step + 1]):
                yield begin, step
                begin = step
                following = int(self._grid[step] + self._lengths[step])
            at = following
        yield begin, stop

    def _place_as_it_is(self, first: int, stop: int) -> None:
        begin = self._grid[first]
        until = self._grid[stop]
        ends = begin + np.cumsum(self._lengths[first:stop])
        self.at_sample[first:stop] = np.concatenate([[begin], ends[:-1]])
        end = min(ends[-1], until)
        if until - end <= self._closed:
            end = min(until, self.at_sample[stop - 1] + self._left[stop - 1])
        self.n_samples[first:stop] = np.diff([*self.at_sample[first:stop], end])
