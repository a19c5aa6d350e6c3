"""Runs: successive steps whose units are adjacent in their source, played as one.

steps of stretch 1.1:  in the source   0 ── 1024    1024 ── 2049    2048 ── 3072
                       in the output   0 ── 1126    1126 ── 2253    2253 ── 3379
their run:             in the source   0 ───────────────────────────────── 3072

A stretched run begins at its first step's `start_sample` and lasts as long as its steps together;
what rounding does to the steps in between is not heard.

Where the gains of two steps of a run differ, it glides from one to the other, linear in amplitude:

    gain    ── before ──╲                   the middle of the ramp is where the steps meet; it takes
                         ╲── after ──       23 ms, but at most half of either step on its side
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple, Self

from playback.steps import Step

ZONE_GRID = 64  # samples; the zones read around joins are multiples of this
RAMP_SECONDS = 1024 / 44100
APART_DB = 1e-6  # a difference in gain that nobody hears, but that keeps two steps apart


class Ramp(NamedTuple):
    """A place in a run where the gain glides.

    `offset` is its middle, in samples from the run's start, and `room` how far it may extend to
    either side.
    """

    offset: int
    room: int
    before_db: float
    after_db: float

    def half(self, sample_rate: int) -> int:
        """Return how far it extends to either side, in samples."""
        return min(self.room, longest_half(sample_rate))


def longest_half(sample_rate: int) -> int:
    """Return how far any ramp extends to either side at most, in samples."""
    return round(RAMP_SECONDS / 2 * sample_rate)


@dataclass(frozen=True, slots=True)
class Run:
    """Steps `first` to `last` of a plan as one step.

    `head` and `tail` are the lengths of its first and its last unit. `step` has the gain of its
    first step, and `ramps` are where it changes, in order.
    """

    step: Step
    first: int
    last: int
    head: int
    tail: int
    ramps: tuple[Ramp, ...] = ()

    def head_limit(self, reach: int) -> int:
        """Return the number of samples at its start that a crossfade may change.

        It is at most half of the run, at most one unit, and not much more than `reach`.
        """
        return _limit(min(self.step.n_samples // 2, self.head), reach)

    def tail_limit(self, reach: int) -> int:
        """Return the same for its end."""
        return _limit(min(self.step.n_samples // 2, self.tail), reach)

    def is_head_settled(self, reach: int) -> bool:
        """Return whether `head_limit` stays what it is, however the run goes on."""
        available = min(self.step.n_samples // 2, self.head)
        return available == self.head or available >= reach + ZONE_GRID

    def glide_limit(self, sample_rate: int) -> int:
        """Return the number of samples at its end that a ramp may change, should it go on."""
        return min(self.tail // 2, longest_half(sample_rate))

    def grown(self, last: Step, step: Step) -> Self:
        """Return the run with one more step, which goes on from its `last` one."""
        whole = replace(self.step, n_samples=step.until_sample - self.step.at_sample)
        ramps = self.ramps
        if last.gain_db != step.gain_db:
            ramps += (_ramp_between(last, step, self.step.at_sample),)
        return replace(self, step=whole, last=self.last + 1, tail=step.n_samples, ramps=ramps)

    def without_ramps(self, before: int, sample_rate: int) -> Self:
        """Return the run without the ramps that end `before` samples from its start.

        Its gain is right from the end of the last of them on.
        """
        gone = [ramp for ramp in self.ramps if ramp.offset + ramp.half(sample_rate) <= before]
        if not gone:
            return self
        whole = replace(self.step, gain_db=gone[-1].after_db)
        return replace(self, step=whole, ramps=self.ramps[len(gone) :])


def _limit(available: int, reach: int) -> int:
    """Return `reach`, or all that is available if less than the grid would remain.

    Such a short remainder would need a read of its own.
    """
    return available if available < reach + ZONE_GRID else reach


def is_contiguous(outgoing: Step, incoming: Step) -> bool:
    """Return whether the sound simply goes on from one step to the next.

    It does if they are adjacent both in the source and in the output of one voice, and both are
    played in the same way, forwards; with a ramp, their gains may differ. Stretched steps are
    adjacent if they are but for the rounding of lengths.
    """
    return (
        outgoing.source == incoming.source
        and outgoing.voice == incoming.voice
        and outgoing.until_sample == incoming.at_sample
        and (outgoing.gain_db == incoming.gain_db or incoming.ramp)
        and outgoing.stretch == incoming.stretch
        and outgoing.transpose == incoming.transpose
        and abs(outgoing.end_sample - incoming.start_sample) <= outgoing.rounding
        and not (outgoing.reverse or incoming.reverse)
    )


def kept_apart(step: Step, before: Step | None) -> Step:
    """Return a step as one that begins a run of its own, even if it goes on from `before`.

    Its gain is changed by a millionth of a decibel then, and does not glide.
    """
    if before is None or not is_contiguous(before, step):
        return step
    return replace(step, gain_db=before.gain_db - APART_DB, ramp=False)


def join_runs(steps: Sequence[Step]) -> list[Run]:
    """Group steps into runs."""
    runs: list[Run] = []
    first = 0
    for stop in range(1, len(steps) + 1):
        if stop == len(steps) or not is_contiguous(steps[stop - 1], steps[stop]):
            runs.append(_make_run(steps, first, stop - 1))
            first = stop
    return runs


def joined_runs(steps: Sequence[Step]) -> list[Run]:
    """Return the runs that come after another one of the same voice."""
    runs = join_runs(steps)
    return [run for before, run in pairwise(runs) if before.step.voice == run.step.voice]


def _make_run(steps: Sequence[Step], first: int, last: int) -> Run:
    whole = steps[first]
    ramps: tuple[Ramp, ...] = ()
    if last > first:
        whole = replace(whole, n_samples=steps[last].until_sample - whole.at_sample)
        ramps = find_ramps(steps[first : last + 1])
    return Run(whole, first, last, steps[first].n_samples, steps[last].n_samples, ramps)


def find_ramps(steps: Sequence[Step]) -> tuple[Ramp, ...]:
    """Return the ramps of a run, given as its steps."""
    begin = steps[0].at_sample
    return tuple(
        _ramp_between(before, after, begin)
        for before, after in pairwise(steps)
        if before.gain_db != after.gain_db
    )


def _ramp_between(before: Step, after: Step, begin: int) -> Ramp:
    """Return the ramp from one step to the next, in a run that begins at `begin`."""
    room = min(before.n_samples, after.n_samples) // 2
    return Ramp(after.at_sample - begin, room, before.gain_db, after.gain_db)


def run_start(steps: Sequence[Step], number: int) -> int:
    """Return the number of the first step of the run that a step belongs to."""
    number = min(max(number, 0), len(steps) - 1)
    while number > 0 and is_contiguous(steps[number - 1], steps[number]):
        number -= 1
    return number


def run_end(steps: Sequence[Step], number: int) -> int:
    """Return the number of the last step of the run that a step belongs to."""
    number = min(max(number, 0), len(steps) - 1)
    while number < len(steps) - 1 and is_contiguous(steps[number], steps[number + 1]):
        number += 1
    return number
