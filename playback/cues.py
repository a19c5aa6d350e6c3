"""Each step with its fades and gains: what other tools need to play the plan as we do."""

from dataclasses import dataclass, field

import numpy as np

from playback.gains import gains
from playback.joins import MadeJoin, make_joins
from playback.options import CrossfadeOptions
from playback.plan import Plan
from playback.runs import Run, join_runs
from playback.sources import SampleReader
from playback.steps import Step

# straight lines that stand for a fade, and for the evening out of levels beside it
FADE_POINTS = 32
LEVEL_POINTS = 32
UNCHANGED = ((0, 1.0),)  # the envelope of a step without any


@dataclass(frozen=True)
class Cue:
    """A step of a plan with its fades. Samples are at the plan's rate.

    Attributes
    ----------
    number : int
        Of the step in the plan, from 0.
    at_sample, n_samples : int
        Where in the output it begins and how long it lasts, overlaps with its neighbours included.
    fade_in, fade_out : int
        Lengths of the fades at its two ends; 0: none.
    envelope : tuple of (offset, gain)
        Amplitudes at samples counted from `at_sample`, in order, joined by straight lines. They
        multiply linear fades of those lengths and the step's own `gain_db`. Unless levels are
        evened out none is above 2.4.
    """

    number: int
    step: Step
    at_sample: int
    n_samples: int
    fade_in: int = 0
    fade_out: int = 0
    envelope: tuple[tuple[int, float], ...] = UNCHANGED

    @property
    def lead(self) -> int:
        """Samples heard before the step's own first one."""
        return self.step.at_sample - self.at_sample


@dataclass
class _Ends:
    """How a run begins and ends.

    The lengths of its fades, how far they reach out beyond the run, and points of their gains over
    linear fades, by samples from the run's start.
    """

    fade_in: int = 0
    lead: int = 0
    fade_out: int = 0
    trail: int = 0
    points: list[tuple[int, float]] = field(default_factory=list)


def make_cues(plan: Plan, reader: SampleReader, *, crossfade: CrossfadeOptions) -> list[Cue]:
    """Return each step of a plan as `stitch` plays it, in order.

    Between adjacent units of one source nothing fades.
    """
    runs = join_runs(plan.steps)
    ends = [_Ends() for _ in runs]
    for made, _ in make_joins(plan, reader, runs, crossfade=crossfade):
        falling, rising = gains(made.overlaps.row(made.row), made.reach, crossfade.fade)
        outgoing = made.join.outgoing
        if outgoing is not None:
            _add_end(ends[outgoing], runs[outgoing].step.n_samples, made, falling[0])
        if made.join.incoming is not None:
            _add_start(ends[made.join.incoming], made, rising[0])
    cues = []
    for run, run_ends in zip(runs, ends, strict=True):
        cues += _cues_of_run(plan, run, run_ends)
    return cues


def _add_start(ends: _Ends, made: MadeJoin, rising: np.ndarray) -> None:
    start = int(made.overlaps.in_start[made.row])
    length = int(made.overlaps.in_length[made.row])
    ends.fade_in = length
    ends.lead = -start
    for at in _grid(start, start + length, made.right):
        linear = min(max(at - start, 1) / length, 1) if length else 1.0
        ends.points.append((at, float(rising[at + made.reach] / linear)))


def _add_end(ends: _Ends, n_samples: int, made: MadeJoin, falling: np.ndarray) -> None:
    start = int(made.overlaps.out_start[made.row])
    length = int(made.overlaps.out_length[made.row])
    ends.fade_out = length
    ends.trail = start + length
    mirrored = [-1 - at for at in _grid(-start - length, -start, made.left)]
    for at in reversed(mirrored):
        linear = min((start + length - at) / length, 1) if length else 1.0
        ends.points.append((n_samples + at, float(falling[at + made.reach] / linear)))


def _grid(start: int, stop: int, until: int) -> list[int]:
    """Return the samples at which gains are taken.

    Densely in the fade, sparsely from its end to where nothing changes any more.
    """
    fade = set(np.linspace(start, max(stop - 1, start), FADE_POINTS).astype(int).tolist())
    fade.update(start + n for n in (1, 2, 4, 8, 16) if start + n < stop)
    level = np.linspace(stop, max(until - 1, stop), LEVEL_POINTS).astype(int).tolist()
    return list(dict.fromkeys(at for at in (*sorted(fade), *level) if at < until))


def _cues_of_run(plan: Plan, run: Run, ends: _Ends) -> list[Cue]:
    """Cut the run between its steps; the first one fades in, the last one out."""
    cues = []
    begin = run.step.at_sample
    for number in range(run.first, run.last + 1):
        step = plan.steps[number]
        is_first = number == run.first
        is_last = number == run.last
        start = step.at_sample - begin - (ends.lead if is_first else 0)
        stop = step.until_sample - begin + (ends.trail if is_last else 0)
        cue = Cue(
            number,
            step,
            begin + start,
            stop - start,
            fade_in=ends.fade_in if is_first else 0,
            fade_out=ends.fade_out if is_last else 0,
            envelope=_envelope(ends.points, start, stop),
        )
        cues.append(cue)
    return cues


def _envelope(points: list[tuple[int, float]], start: int, stop: int) -> tuple:
    """Return the points of [start, stop), counted from its start."""
    part = tuple((at - start, gain) for at, gain in points if start <= at < stop)
    return part if any(abs(gain - 1) > 1e-4 for _, gain in part) else UNCHANGED
