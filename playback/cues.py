"""Each step as it is heard: from when, with which fades and gains; what other tools need to play
the plan as we do.
"""

from dataclasses import dataclass, field

import numpy as np

from playback.crossfade import CrossfadeOptions
from playback.gains import gains
from playback.plan import Plan, Step
from playback.sources import Sound
from playback.stitch import Run, Seam, join_runs, make_seams

# straight lines that stand for a fade and for the evening out of levels beside it
FADE_POINTS = 32
LEVEL_POINTS = 32


@dataclass(frozen=True)
class Cue:
    """A step of a plan with its crossfade. Samples are at the plan's rate.

    Attributes
    ----------
    number : int
        Of the step in the plan, from 0.
    at_sample, n_samples : int
        Where in the output it begins to be heard and for how long, overlaps with its neighbours
        included.
    fade_in, fade_out : int
        Lengths of the fades at its two ends; 0: none.
    envelope : tuple of (offset, gain)
        Amplitudes at samples counted from `at_sample`, joined by straight lines, in order. They
        multiply linear fades of those lengths and the step's own `gain_db`. Without evening out of
        levels none is above 2.4.
    """

    number: int
    step: Step
    at_sample: int
    n_samples: int
    fade_in: int = 0
    fade_out: int = 0
    envelope: tuple[tuple[int, float], ...] = ((0, 1.0),)

    @property
    def lead(self) -> int:
        """Samples heard before the step's own first one."""
        return self.step.at_sample - self.at_sample


@dataclass
class _Ends:
    """How a run begins and ends: length of the fades, how far they lead over the run's own span,
    and points of their gains.
    """

    fade_in: int = 0
    lead: int = 0
    fade_out: int = 0
    trail: int = 0
    points: list[tuple[int, float]] = field(
        default_factory=list
    )  # samples from the run's start, gains over linear fades


def make_cues(plan: Plan, sound: Sound, *, crossfade: CrossfadeOptions) -> list[Cue]:
    """Each step of a plan as `stitch` plays it, in order.

    Between adjacent units of one source nothing fades.
    """
    runs = join_runs(plan.steps)
    ends = [_Ends() for _ in runs]
    for seam, _ in make_seams(plan, sound, runs, crossfade=crossfade):
        falling, rising = (
            side[0] for side in gains(seam.overlaps.row(seam.row), seam.reach, crossfade.fade)
        )
        if seam.boundary.outgoing is not None:
            number = seam.boundary.outgoing
            _end(ends[number], runs[number].step.n_samples, seam, falling)
        if seam.boundary.incoming is not None:
            _begin(ends[seam.boundary.incoming], seam, rising)
    return [
        cue
        for run, run_ends in zip(runs, ends, strict=True)
        for cue in _cues_of(plan, run, run_ends)
    ]


def _begin(ends: _Ends, seam: Seam, rising: np.ndarray) -> None:
    start, length = (
        int(values[seam.row]) for values in (seam.overlaps.in_start, seam.overlaps.in_length)
    )
    ends.fade_in = length
    ends.lead = -start
    for at in _grid(start, start + length, seam.right):
        linear = min(max(at - start, 1) / length, 1) if length else 1.0
        ends.points.append((at, float(rising[at + seam.reach] / linear)))


def _end(ends: _Ends, n_samples: int, seam: Seam, falling: np.ndarray) -> None:
    start, length = (
        int(values[seam.row]) for values in (seam.overlaps.out_start, seam.overlaps.out_length)
    )
    ends.fade_out = length
    ends.trail = start + length
    mirrored = [-1 - at for at in _grid(-start - length, -start, seam.left)]
    for at in reversed(mirrored):
        linear = min((start + length - at) / length, 1) if length else 1.0
        ends.points.append((n_samples + at, float(falling[at + seam.reach] / linear)))


def _grid(start: int, stop: int, until: int) -> list[int]:
    """Samples at which gains are taken: densely in the fade, sparsely from its end to where nothing
    changes any more.
    """
    fade = sorted(
        {
            *np.linspace(start, max(stop - 1, start), FADE_POINTS).astype(int),
            *(start + n for n in (1, 2, 4, 8, 16) if start + n < stop),
        }
    )
    level = np.linspace(stop, max(until - 1, stop), LEVEL_POINTS)
    return list(dict.fromkeys(int(at) for at in (*fade, *level) if at < until))


def _cues_of(plan: Plan, run: Run, ends: _Ends) -> list[Cue]:
    """The run's cue, cut between its steps."""
    cues = []
    begins = run.step.at_sample
    for number in range(run.first, run.last + 1):
        step = plan.steps[number]
        first = number == run.first
        last = number == run.last
        start = step.at_sample - begins - (ends.lead if first else 0)
        stop = step.until_sample - begins + (ends.trail if last else 0)
        points = [(at - start, gain) for at, gain in ends.points if start <= at < stop]
        envelope = tuple(points) if any(abs(gain - 1) > 1e-4 for _, gain in points) else ((0, 1.0),)
        cues.append(
            Cue(
                number,
                step,
                begins + start,
                stop - start,
                fade_in=ends.fade_in if first else 0,
                fade_out=ends.fade_out if last else 0,
                envelope=envelope,
            )
        )
    return cues
