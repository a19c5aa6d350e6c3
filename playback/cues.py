"""Steps with their fades and gains, so that other tools can play a plan as we do."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from audio.decibels import to_amplitude
from playback.gains import gains
from playback.joins import MadeJoin, make_joins
from playback.options import CrossfadeOptions
from playback.plan import Plan
from playback.run_audio import gain_course
from playback.runs import Run, is_contiguous, join_runs
from playback.sources import SampleReader
from playback.steps import Step

# number of straight lines that approximate a fade, and a change of level beside it
FADE_POINTS = 32
LEVEL_POINTS = 32
Envelope = tuple[tuple[int, float], ...]  # (offset, gain)
UNCHANGED: Envelope = ((0, 1.0),)  # of a step whose gain does not change


@dataclass(frozen=True)
class Cue:
    """A step of a plan with its fades. Samples are at the plan's rate.

    Attributes
    ----------
    number : int
        Number of the step in the plan, from 0.
    at_sample, n_samples : int
        Start in the output, and length, including the overlaps with its neighbours.
    fade_in, fade_out : int
        Lengths of the fades at its two ends; 0 for none.
    envelope : tuple of (offset, gain)
        Gains at samples counted from `at_sample`, in order, connected by straight lines. They
        multiply linear fades of the lengths above and the step's own `gain_db`. Unless levels are
        matched, none is above 2.4.
    """

    number: int
    step: Step
    at_sample: int
    n_samples: int
    fade_in: int = 0
    fade_out: int = 0
    envelope: Envelope = UNCHANGED

    @property
    def lead(self) -> int:
        """Number of samples heard before the step's own first sample."""
        return self.step.at_sample - self.at_sample


@dataclass
class _Ends:
    """The fades at the two ends of a run.

    Holds their lengths, how far they extend beyond the run, and points of their gains relative to
    linear fades, by samples from the run's start.
    """

    fade_in: int = 0
    lead: int = 0
    fade_out: int = 0
    trail: int = 0
    points: list[tuple[int, float]] = field(default_factory=list)


def make_cues(plan: Plan, reader: SampleReader, *, crossfade: CrossfadeOptions) -> list[Cue]:
    """Return the cue of each step, in order, as `stitch` plays it.

    There are no fades between adjacent units of one source.
    """
    cues = []
    for voice in plan.voices:
        if voice:
            cues += _cues_of_voice(plan, voice, reader, crossfade)
    return cues


def _cues_of_voice(
    plan: Plan, voice: range, reader: SampleReader, crossfade: CrossfadeOptions
) -> list[Cue]:
    """Return the cues of one voice, given as the numbers of its steps."""
    steps = plan.steps[voice.start : voice.stop]
    runs = join_runs(steps)
    ends = [_Ends() for _ in runs]
    for made, _ in make_joins(plan, reader, runs, crossfade=crossfade):
        falling, rising = gains(made.overlaps.rows([made.row]), made.reach, crossfade.fade)
        outgoing = made.join.outgoing
        if outgoing is not None:
            _add_end(ends[outgoing], runs[outgoing].step.n_samples, made, falling[0])
        if made.join.incoming is not None:
            _add_start(ends[made.join.incoming], made, rising[0])
    cues = []
    for run, run_ends in zip(runs, ends, strict=True):
        cues += _cues_of_run(steps, run, run_ends, plan.sample_rate)
    return [replace(cue, number=voice.start + cue.number) for cue in cues]


def join_cues(cues: list[Cue]) -> list[Cue]:
    """Return cues with one for each transformed run, in place of one per step.

    A tool that stretches each step by itself would not go on smoothly from one to the next. The cue
    of a run has the number and the unit of its first step.
    """
    joined: list[Cue] = []
    previous: Step | None = None
    for cue in cues:
        if previous and cue.step.is_resampled and is_contiguous(previous, cue.step):
            joined[-1] = _append(joined[-1], cue)
        else:
            joined.append(cue)
        previous = cue.step
    return joined


def _append(run: Cue, cue: Cue) -> Cue:
    offset = cue.at_sample - run.at_sample
    louder = to_amplitude(cue.step.gain_db - run.step.gain_db)
    moved = tuple((at + offset, gain * louder) for at, gain in cue.envelope)
    unchanged = run.envelope == cue.envelope == UNCHANGED and louder == 1
    return replace(
        run,
        step=replace(run.step, n_samples=run.step.n_samples + cue.step.n_samples),
        n_samples=run.n_samples + cue.n_samples,
        fade_out=cue.fade_out,
        envelope=UNCHANGED if unchanged else run.envelope + moved,
    )


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

    They are dense in the fade, and sparse from its end to `until`, where the gain settles.
    """
    fade = set(np.linspace(start, max(stop - 1, start), FADE_POINTS).astype(int).tolist())
    fade.update(start + n for n in (1, 2, 4, 8, 16) if start + n < stop)
    level = np.linspace(stop, max(until - 1, stop), LEVEL_POINTS).astype(int).tolist()
    return list(dict.fromkeys(at for at in (*sorted(fade), *level) if at < until))


def _cues_of_run(steps: Sequence[Step], run: Run, ends: _Ends, sample_rate: int) -> list[Cue]:
    """Cut a run into the cues of its steps: the first fades in, the last fades out."""
    cues = []
    begin = run.step.at_sample
    course = gain_course(run.ramps, sample_rate)
    for number in range(run.first, run.last + 1):
        step = steps[number]
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
            envelope=_with_ramps(
                _envelope(ends.points, start, stop), course, start, stop, step.gain_db
            ),
        )
        cues.append(cue)
    return cues


def _envelope(points: list[tuple[int, float]], start: int, stop: int) -> Envelope:
    """Return the points within [start, stop), counted from `start`."""
    part = tuple((at - start, gain) for at, gain in points if start <= at < stop)
    return part if any(abs(gain - 1) > 1e-4 for _, gain in part) else UNCHANGED


def _with_ramps(
    envelope: Envelope,
    course: tuple[np.ndarray, np.ndarray],
    start: int,
    stop: int,
    gain_db: float,
) -> Envelope:
    """Return an envelope times the gains of [start, stop) of a run, relative to `gain_db`.

    A ramp bends between two samples; with points at both, lines meet every sample's gain.
    """
    first, last = np.searchsorted(course[0], [start, stop])
    bends = course[0][first:last] - start
    if not len(bends):
        return envelope
    fades, gains = np.array(envelope).T
    offsets = np.unique([0, *(bends - 1), *bends, *fades, stop - start - 1])
    offsets = offsets[(offsets >= 0) & (offsets < stop - start)]
    glide = np.interp(offsets + start + 0.5, *course) / to_amplitude(gain_db)
    product = np.interp(offsets, fades, gains) * glide
    return tuple(zip(offsets.astype(int).tolist(), product.tolist(), strict=True))
