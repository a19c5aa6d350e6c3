"""Make the joins of a plan with their audio, in batches.

runs ──► joins ──► batches ──► both sides read ──► crossfaded
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from playback.crossfade import cross, mix
from playback.gains import Overlaps
from playback.options import CrossfadeOptions
from playback.overlaps import Limits, context_samples, edge_samples
from playback.plan import Plan
from playback.run_audio import RunAudio
from playback.runs import ZONE_GRID, Run
from playback.sources import SampleReader

BATCH_VALUES = 1 << 19  # samples times channels made at once, to stay in the processor's cache


class Join(NamedTuple):
    """The place where one run ends and another begins: runs by number, None for silence."""

    at_sample: int
    outgoing: int | None
    incoming: int | None


@dataclass(frozen=True)
class MadeJoin:
    """A join with its audio.

    Attributes
    ----------
    left, right : int
        Numbers of samples before and after the join that its crossfade may change.
    mixed : ndarray, float32, shape (left + right, channels)
        The audio of these samples.
    overlaps, row : Overlaps, int
        The overlaps of its batch, and its own row in them.
    reach : int
        Number of samples on either side of the join within which all crossfades of its batch lie.
    """

    join: Join
    left: int
    right: int
    mixed: np.ndarray
    overlaps: Overlaps
    row: int
    reach: int


@dataclass(frozen=True)
class _Zones:
    """Joins of a batch that are read equally far: their rows in the batch, and both sides."""

    rows: list[int]
    outgoing: np.ndarray
    incoming: np.ndarray
    limits: Limits


def make_joins(
    plan: Plan,
    reader: SampleReader,
    runs: list[Run],
    *,
    crossfade: CrossfadeOptions,
    only: str | None = None,
    batch_values: int = BATCH_VALUES,
) -> Iterator[tuple[MadeJoin, dict[int, RunAudio]]]:
    """Yield the joins of a plan's runs in order, each with the audio of the runs around it.

    A join's audio depends on its two runs alone, not on the other joins of its batch.

    Parameters
    ----------
    only : str, optional
        Make only the part of this source.
    batch_values : int
        Samples times channels to read before they are crossfaded.
    """
    audio: dict[int, RunAudio] = {}
    for batch in _batches(_find_joins(runs), runs, plan, crossfade, batch_values):
        audio = _open_runs(batch, runs, audio, reader, plan)
        zones = _read_zones(batch, runs, audio, crossfade, plan)
        for made in _mix_batch(batch, runs, zones, crossfade, plan.sample_rate, only):
            yield made, audio


def make_join(
    at_sample: int,
    outgoing: tuple[Run, RunAudio] | None,
    incoming: tuple[Run, RunAudio] | None,
    *,
    crossfade: CrossfadeOptions,
    plan: Plan,
) -> MadeJoin:
    """Make the join of two runs, given with their audio; it is as `make_joins` makes it."""
    sides = [side for side in (outgoing, incoming) if side is not None]
    runs = [run for run, _ in sides]
    audio = {number: read for number, (_, read) in enumerate(sides)}
    join = Join(at_sample, 0 if outgoing else None, len(sides) - 1 if incoming else None)
    zones = _read_zones([join], runs, audio, crossfade, plan)
    return _mix_batch([join], runs, zones, crossfade, plan.sample_rate, None)[0]


def _find_joins(runs: list[Run]) -> list[Join]:
    """Return the joins of runs, including those from and to silence."""
    joins = [Join(runs[0].step.at_sample, None, 0)]
    for number in range(1, len(runs)):
        end = runs[number - 1].step.until_sample
        start = runs[number].step.at_sample
        if end == start:
            joins.append(Join(start, number - 1, number))
        else:
            joins += [Join(end, number - 1, None), Join(start, None, number)]
    joins.append(Join(runs[-1].step.until_sample, len(runs) - 1, None))
    return joins


def _batches(
    joins: list[Join],
    runs: list[Run],
    plan: Plan,
    crossfade: CrossfadeOptions,
    batch_values: int,
) -> Iterator[list[Join]]:
    """Yield as many joins at a time as may be in memory.

    A transformed run counts with its whole length, since it is made as a whole.
    """
    rate = plan.sample_rate
    reach = crossfade.reach_samples(rate)
    context = context_samples(crossfade, rate)
    batch: list[Join] = []
    size = 0
    for join in joins:
        batch.append(join)
        size += 2 * (_reach(join, runs, reach) + context) + ZONE_GRID
        if join.incoming is not None and runs[join.incoming].step.is_resampled:
            size += runs[join.incoming].step.n_samples
        if size * plan.channels >= batch_values:
            yield batch
            batch = []
            size = 0
    if batch:
        yield batch


def _reach(join: Join, runs: list[Run], reach: int) -> int:
    """Return the number of samples on either side of a join that its crossfade may change."""
    left = 0 if join.outgoing is None else runs[join.outgoing].tail_limit(reach)
    right = 0 if join.incoming is None else runs[join.incoming].head_limit(reach)
    return max(left, right)


def _open_runs(
    batch: list[Join],
    runs: list[Run],
    known: dict[int, RunAudio],
    reader: SampleReader,
    plan: Plan,
) -> dict[int, RunAudio]:
    """Return the audio of each run of a batch, in order; runs in `known` are reused."""
    numbers = {n for join in batch for n in (join.outgoing, join.incoming) if n is not None}
    return {
        number: known.get(number) or RunAudio(runs[number].step, reader, plan, runs[number].ramps)
        for number in sorted(numbers)
    }


def _read_zones(
    batch: list[Join],
    runs: list[Run],
    audio: dict[int, RunAudio],
    crossfade: CrossfadeOptions,
    plan: Plan,
) -> list[_Zones]:
    """Read both sides of a batch's joins, grouped by the length that is read."""
    limits = [_limit(join, runs, audio, crossfade, plan.sample_rate) for join in batch]
    context = context_samples(crossfade, plan.sample_rate)
    reaches = [_round_up(max(left, right) + context) for left, right, *_ in limits]
    zones = []
    for reach in sorted(set(reaches)):
        rows = [row for row, theirs in enumerate(reaches) if theirs == reach]
        columns = Limits(*np.array([limits[row] for row in rows], np.int64).T)
        joins = [batch[row] for row in rows]
        outgoing, incoming = _read_sides(joins, columns.right, audio, reach, plan.channels)
        zones.append(_Zones(rows, outgoing, incoming, columns))
    return zones


def _round_up(n_samples: int) -> int:
    """Round up to the grid, so that many joins share one length."""
    return -(-n_samples // ZONE_GRID) * ZONE_GRID


def _read_sides(
    joins: list[Join], right: np.ndarray, audio: dict[int, RunAudio], reach: int, channels: int
) -> tuple[np.ndarray, np.ndarray]:
    """Read both sides of joins; where a crossfade cannot reach, a gain that glides stays.

    So a crossfade is known before it is known at which gain the incoming run goes on.
    """
    outgoing = np.empty((len(joins), 2 * reach, channels), np.float32)
    incoming = np.empty_like(outgoing)
    for row, join in enumerate(joins):
        if join.outgoing is None:
            outgoing[row] = 0
        else:
            ending = audio[join.outgoing]
            ending.read(outgoing[row], ending.step.n_samples - reach)
        if join.incoming is None:
            incoming[row] = 0
        else:
            beginning = audio[join.incoming]
            beginning.read_ahead(reach)
            beginning.read(incoming[row], -reach, steady_from=int(right[row]))
    return outgoing, incoming


def _limit(
    join: Join,
    runs: list[Run],
    audio: dict[int, RunAudio],
    crossfade: CrossfadeOptions,
    sample_rate: int,
) -> tuple[int, int, int, int, int, int]:
    """Return the limits of a join's crossfade, in the order of the fields of `Limits`.

    It may change at most half of each run, and no more than the unit that ends or begins there.
    """
    reach = crossfade.reach_samples(sample_rate)
    edge = min(edge_samples(sample_rate), crossfade.overlap_samples(sample_rate))
    left = right = 0  # samples that may change
    after = before = 0  # samples beyond the outgoing unit's end, and before the incoming one
    if join.outgoing is not None:
        left = runs[join.outgoing].tail_limit(reach)
        after = audio[join.outgoing].after
    if join.incoming is not None:
        right = runs[join.incoming].head_limit(reach)
        before = audio[join.incoming].before
    fade_out = min(edge, left) if after > 0 else 0
    fade_in = min(edge, right) if before > 0 else 0
    return left, right, -min(left, before), min(right, after), fade_out, fade_in


def _mix_batch(
    batch: list[Join],
    runs: list[Run],
    zones: list[_Zones],
    crossfade: CrossfadeOptions,
    sample_rate: int,
    only: str | None,
) -> list[MadeJoin]:
    made: dict[int, MadeJoin] = {}
    for zone in zones:
        mixed, overlaps = cross(
            zone.outgoing, zone.incoming, zone.limits, options=crossfade, sample_rate=sample_rate
        )
        if only is not None:
            _silence_others(zone, batch, runs, only)
            mixed = mix(zone.outgoing, zone.incoming, overlaps, overlaps.extent, crossfade.fade)
        made.update(_cut_rows(zone.rows, batch, mixed, overlaps))
    return [made[row] for row in range(len(batch))]


def _silence_others(zone: _Zones, batch: list[Join], runs: list[Run], only: str) -> None:
    """Silence the sides of other sources."""
    for row, number in enumerate(zone.rows):
        join = batch[number]
        if join.outgoing is None or runs[join.outgoing].step.source != only:
            zone.outgoing[row] = 0
        if join.incoming is None or runs[join.incoming].step.source != only:
            zone.incoming[row] = 0


def _cut_rows(
    rows: list[int], batch: list[Join], mixed: np.ndarray, overlaps: Overlaps
) -> dict[int, MadeJoin]:
    """Return each join with its part of the mixed audio, by its row in the batch."""
    reach = mixed.shape[1] // 2
    made = {}
    changed = zip(overlaps.left.tolist(), overlaps.right.tolist(), strict=True)
    for row, (number, (left, right)) in enumerate(zip(rows, changed, strict=True)):
        samples = mixed[row, reach - left : reach + right]
        made[number] = MadeJoin(batch[number], left, right, samples, overlaps, row, reach)
    return made
