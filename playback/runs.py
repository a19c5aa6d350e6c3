"""Runs: successive steps whose units are adjacent in their source, played as one.

steps of stretch 1.1:  in the source   0 ── 1024    1024 ── 2049    2048 ── 3072
                       in the output   0 ── 1126    1126 ── 2253    2253 ── 3379
their run:             in the source   0 ───────────────────────────────── 3072

A stretched run begins at its first step's `start_sample` and lasts as long as its steps together;
what rounding does to the steps in between is not heard.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from playback.steps import Step

ZONE_GRID = 64  # samples; the zones read around joins are multiples of this


@dataclass(frozen=True, slots=True)
class Run:
    """Steps `first` to `last` of a plan as one step.

    `head` and `tail` are the lengths of its first and its last unit.
    """

    step: Step
    first: int
    last: int
    head: int
    tail: int

    def head_limit(self, reach: int) -> int:
        """Return the number of samples at its start that a crossfade may change.

        It is at most half of the run, at most one unit, and not much more than `reach`.
        """
        return _limit(min(self.step.n_samples // 2, self.head), reach)

    def tail_limit(self, reach: int) -> int:
        """Return the same for its end."""
        return _limit(min(self.step.n_samples // 2, self.tail), reach)


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


def join_runs(steps: Sequence[Step]) -> list[Run]:
    """Group steps into runs."""
    runs: list[Run] = []
    first = 0
    for stop in range(1, len(steps) + 1):
        if stop == len(steps) or not is_contiguous(steps[stop - 1], steps[stop]):
            runs.append(_make_run(steps, first, stop - 1))
            first = stop
    return runs


def _make_run(steps: Sequence[Step], first: int, last: int) -> Run:
    whole = steps[first]
    if last > first:
        whole = replace(whole, n_samples=steps[last].until_sample - whole.at_sample)
    return Run(whole, first, last, steps[first].n_samples, steps[last].n_samples)


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
