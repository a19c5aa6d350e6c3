"""Plan to audio, boundary by boundary: memory does not depend on the plan's length.

steps ──► runs (adjacent units joined) ──► boundaries, a batch at a time ──► blocks in output order ──► file
"""

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import NamedTuple

import numpy as np

from files.errors import ParameterError
from playback.crossfade import EDGE_MS, CrossfadeOptions, Room, cross, is_contiguous, mix
from playback.gains import Overlaps
from playback.plan import Plan, Step
from playback.sources import Sound
from playback.voices import Voice

BLOCK_SAMPLES = 1 << 17  # samples handed on at a time
BATCH_VALUES = (
    1 << 19
)  # samples times channels of the crossfade that are made at once: what stays in the processor's cache
# samples; what is looked at around a boundary is rounded up to this, so that many have the same
ZONE_GRID = 64
DEFAULT_SEAMS = CrossfadeOptions()


@dataclass(frozen=True, slots=True)
class Run:
    """Steps `first` to `last` of a plan, adjacent in their source, as one; `head` and `tail` are
    these two's lengths.
    """

    step: Step
    first: int
    last: int
    head: int
    tail: int

    def head_room(self, most: int) -> int:
        """Samples at its start that a seam may change: half of it and one unit at most, and not
        much more than `most`.
        """
        return _up_to(min(self.step.n_samples // 2, self.head), most)

    def tail_room(self, most: int) -> int:
        """As `head_room`, at its end."""
        return _up_to(min(self.step.n_samples // 2, self.tail), most)


class Boundary(NamedTuple):
    """Where one run ends and another begins, or one of them and silence; the runs' numbers."""

    at_sample: int
    outgoing: int | None
    incoming: int | None


@dataclass(frozen=True)
class Zones:
    """Boundaries of a batch that are looked at equally far: their rows in it, and both sides as
    `crossfade.cross` has them.
    """

    rows: list[int]
    outgoing: np.ndarray
    incoming: np.ndarray
    room: Room


@dataclass(frozen=True)
class Seam:
    """A boundary as it is made: `mixed` is heard from `left` samples before it to `right` behind
    it, (left + right, channels).

    `overlaps` holds how, in its row `row`; its surroundings reach `reach` samples to either side.
    """

    boundary: Boundary
    left: int
    right: int
    mixed: np.ndarray
    overlaps: Overlaps
    row: int
    reach: int


def stitch(
    plan: Plan,
    sound: Sound,
    *,
    crossfade: CrossfadeOptions = DEFAULT_SEAMS,
    only: str | None = None,
    start: int = 0,
    stop: int | None = None,
) -> Iterator[np.ndarray]:
    """Yield the plan's audio in order, float32, shape (any, channels); together exactly `stop -
    start` samples.

    Parameters
    ----------
    only : str, optional
        Leave out all but this source's part; the parts of all sources add up to the whole.
    start, stop : int
        The part of the output that is wanted, by default all. It has the very samples that the
        whole has there, and costs what its own length takes.

    Raises
    ------
    ParameterError
        If there is no such part.
    """
    stop = plan.n_samples if stop is None else stop
    if not 0 <= start <= stop <= plan.n_samples:
        raise ParameterError(
            f"start={start}, stop={stop} must be in order, and within the plan's 0 to"
            f" {plan.n_samples}"
        )
    runs = join_runs(_around(plan.steps, start, stop))
    position = start
    for seam, voices in make_seams(plan, sound, runs, crossfade=crossfade, only=only):
        begin = seam.boundary.at_sample - seam.left
        number = seam.boundary.outgoing
        if number is None or only not in (None, runs[number].step.source):
            yield from _silence(min(begin, stop) - position, plan.channels)
        else:
            yield from _interior(voices[number], position, min(begin, stop), plan.channels)
        position = max(position, min(begin, stop))
        mixed = seam.mixed[max(position - begin, 0) : max(stop - begin, 0)]
        yield mixed
        position += len(mixed)
    yield from _silence(stop - position, plan.channels)


def _around(steps: Sequence[Step], start: int, stop: int) -> Sequence[Step]:
    """The steps that decide what is heard from `start` to `stop`: those that sound there, as whole
    runs, and one run more on either side. Half of a run at most takes part in a seam, so that what
    lies beyond the outer ones is not heard there.
    """
    first = bisect_right(steps, start, key=attrgetter("until_sample"))
    last = bisect_left(steps, stop, key=attrgetter("at_sample")) - 1
    first = run_start(steps, run_start(steps, first) - 1)
    last = run_end(steps, run_end(steps, last) + 1)
    return steps[first : last + 1]


def run_start(steps: Sequence[Step], number: int) -> int:
    """The first step of the run that a step belongs to."""
    number = min(max(number, 0), len(steps) - 1)
    while number > 0 and is_contiguous(steps[number - 1], steps[number]):
        number -= 1
    return number


def run_end(steps: Sequence[Step], number: int) -> int:
    """The last step of the run that a step belongs to."""
    number = min(max(number, 0), len(steps) - 1)
    while number < len(steps) - 1 and is_contiguous(steps[number], steps[number + 1]):
        number += 1
    return number


def make_seams(
    plan: Plan,
    sound: Sound,
    runs: list[Run],
    *,
    crossfade: CrossfadeOptions,
    only: str | None = None,
) -> Iterator[tuple[Seam, dict[int, Voice]]]:
    """Make the boundaries of a plan's runs in order, with the voices they join.

    How one is made depends on its two runs alone.

    A batch is mixed in a second thread while the next one is read.
    """
    voices = dict[int, Voice]()
    waiting = deque[tuple[dict[int, Voice], Future]]()
    with ThreadPoolExecutor(1) as pool:
        for batch in _batches(_boundaries(runs), runs, plan, crossfade):
            heard = sorted({n for b in batch for n in (b.outgoing, b.incoming) if n is not None})
            voices = {n: voices.get(n) or Voice(runs[n].step, sound, plan) for n in heard}
            zones = _read_zones(batch, runs, voices, crossfade, plan)
            waiting.append(
                (
                    voices,
                    pool.submit(_mix_zones, batch, runs, zones, crossfade, plan.sample_rate, only),
                )
            )
            if len(waiting) > 1:
                yield from _finished(*waiting.popleft())
        while waiting:
            yield from _finished(*waiting.popleft())


def _finished(voices: dict[int, Voice], mixing: Future) -> Iterator[tuple[Seam, dict[int, Voice]]]:
    return ((seam, voices) for seam in mixing.result())


def _read_zones(
    batch: list[Boundary],
    runs: list[Run],
    voices: dict[int, Voice],
    crossfade: CrossfadeOptions,
    plan: Plan,
) -> list[Zones]:
    """Both sides of each boundary of a batch, sorted by how far they are looked at."""
    rooms = [_room(boundary, runs, voices, crossfade, plan.sample_rate) for boundary in batch]
    context = crossfade.context(plan.sample_rate)
    reaches = [
        -(-(max(left, right) + context) // ZONE_GRID) * ZONE_GRID for left, right, *_ in rooms
    ]
    found = []
    for reach in sorted(set(reaches)):
        rows = [row for row, theirs in enumerate(reaches) if theirs == reach]
        outgoing = np.zeros((len(rows), 2 * reach, plan.channels), np.float32)
        incoming = np.zeros_like(outgoing)
        for i, row in enumerate(rows):
            _, out, into = batch[row]
            if out is not None:
                voices[out].read(outgoing[i], voices[out].run.n_samples - reach)
            if into is not None:
                voices[into].read_ahead(reach)
                voices[into].read(incoming[i], -reach)
        found.append(
            Zones(
                rows, outgoing, incoming, Room(*np.array([rooms[row] for row in rows], np.int64).T)
            )
        )
    return found


def _mix_zones(
    batch: list[Boundary],
    runs: list[Run],
    zones: list[Zones],
    crossfade: CrossfadeOptions,
    sample_rate: int,
    only: str | None,
) -> list[Seam]:
    made: dict[int, Seam] = {}
    for zone in zones:
        mixed, overlaps = cross(
            zone.outgoing, zone.incoming, zone.room, options=crossfade, sample_rate=sample_rate
        )
        if only is not None:
            for side, samples in ((1, zone.outgoing), (2, zone.incoming)):
                numbers = [batch[row][side] for row in zone.rows]
                samples[[n is None or runs[n].step.source != only for n in numbers]] = 0
            mixed = mix(zone.outgoing, zone.incoming, overlaps, crossfade.fade)
        reach = mixed.shape[1] // 2
        for i, row in enumerate(zone.rows):
            left = int(overlaps.left[i])
            right = int(overlaps.right[i])
            made[row] = Seam(
                batch[row], left, right, mixed[i, reach - left : reach + right], overlaps, i, reach
            )
    return [made[row] for row in range(len(batch))]


def join_runs(steps: Sequence[Step]) -> list[Run]:
    """Steps with adjacent units of one source joined into one."""
    runs: list[Run] = []
    first = 0
    for n in range(1, len(steps) + 1):
        if n == len(steps) or not is_contiguous(steps[n - 1], steps[n]):
            whole = steps[first]
            if n - first > 1:
                whole = replace(whole, n_samples=steps[n - 1].until_sample - whole.at_sample)
            runs.append(Run(whole, first, n - 1, steps[first].n_samples, steps[n - 1].n_samples))
            first = n
    return runs


def _boundaries(runs: list[Run]) -> list[Boundary]:
    found = [Boundary(runs[0].step.at_sample, None, 0)]
    for n in range(1, len(runs)):
        end = runs[n - 1].step.until_sample
        start = runs[n].step.at_sample
        found += (
            [Boundary(start, n - 1, n)]
            if end == start
            else [Boundary(end, n - 1, None), Boundary(start, None, n)]
        )
    return [*found, Boundary(runs[-1].step.until_sample, len(runs) - 1, None)]


def _batches(
    boundaries: list[Boundary], runs: list[Run], plan: Plan, crossfade: CrossfadeOptions
) -> Iterator[list[Boundary]]:
    """As many boundaries at a time as may be in memory, with the units that are there as a whole
    since they are transformed.
    """
    zone = 2 * (crossfade.most(plan.sample_rate) + crossfade.context(plan.sample_rate)) + ZONE_GRID
    batch = list[Boundary]()
    size = 0
    for boundary in boundaries:
        batch.append(boundary)
        size += zone
        if boundary.incoming is not None and runs[boundary.incoming].step.is_resampled:
            size += runs[boundary.incoming].step.n_samples
        if size * plan.channels >= BATCH_VALUES:
            yield batch
            batch = []
            size = 0
    if batch:
        yield batch


def _room(
    boundary: Boundary,
    runs: list[Run],
    voices: dict[int, Voice],
    crossfade: CrossfadeOptions,
    sample_rate: int,
) -> tuple[int, int, int, int, int, int]:
    """What the runs on either side of a boundary leave to its seam, in the order of `Room`'s
    fields.

    That is at most half of each run, and no more than the unit that ends or begins there.
    """
    most = crossfade.most(sample_rate)
    edge = min(round(EDGE_MS * sample_rate / 1000), crossfade.overlap(sample_rate))
    _, out, into = boundary
    left = 0 if out is None else runs[out].tail_room(most)
    right = 0 if into is None else runs[into].head_room(most)
    first = last = 0
    if out is not None and into is not None:
        first = -min(left, voices[into].before)
        last = min(right, voices[out].after)
    fade_out = min(edge, left) if out is not None and voices[out].after > 0 else 0
    fade_in = min(edge, right) if into is not None and voices[into].before > 0 else 0
    return left, right, first, last, fade_out, fade_in


def _up_to(half: int, most: int) -> int:
    """`most` samples of half a run; all of it if next to nothing would be left, which would be read
    for itself.
    """
    return half if half < most + ZONE_GRID else most


def _interior(voice: Voice, start: int, stop: int, channels: int) -> Iterator[np.ndarray]:
    """What a run plays between its crossfade, from `start` to `stop` in the output."""
    for at in range(start, stop, BLOCK_SAMPLES):
        block = np.empty((min(BLOCK_SAMPLES, stop - at), channels), np.float32)
        voice.read(block, at - voice.run.at_sample)
        yield block


def _silence(n_samples: int, channels: int) -> Iterator[np.ndarray]:
    for at in range(0, n_samples, BLOCK_SAMPLES):
        yield np.zeros((min(BLOCK_SAMPLES, n_samples - at), channels), np.float32)
