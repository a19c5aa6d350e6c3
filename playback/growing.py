"""A voice that is played while its plan is still being made.

steps, as they are chosen ──► the run that goes on, joins as soon as they are certain ──► samples

                       the next step may begin here, or the run may go on
                                        │
    ──── run ────┬──────── run ─────────┤
                 join             ◄─────┤
    ◄──────── final ─────────────►  at most `lead.lead_samples`

Samples are final when no later step can change them. A later step changes the end of the last run,
by its crossfade or by a gain that glides to its own; and the crossfade at the beginning of that
run, as long as the run is so short that this would become longer if it went on. What is final is
what `playback.stitch` makes of the whole plan, to the bit.
"""

from bisect import bisect_right
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from typing import Self

import numpy as np

from files.errors import ParameterError, PlanError
from playback.joins import MadeJoin, make_join
from playback.options import DEFAULT_CROSSFADE, CrossfadeOptions
from playback.overlaps import context_samples
from playback.plan import Plan
from playback.run_audio import RunAudio
from playback.runs import ZONE_GRID, Run, is_contiguous, join_runs
from playback.sources import SampleReader
from playback.steps import Step


@dataclass(slots=True)
class _Playing:
    """A run with its audio, and with its joins once they are made.

    `last` is its last step. `begin` is the join at its start, and `end` that to silence behind it.
    """

    run: Run
    last: Step
    audio: RunAudio
    begin: MadeJoin | None = None
    end: MadeJoin | None = None

    @property
    def at_sample(self) -> int:
        return self.run.step.at_sample

    @property
    def until_sample(self) -> int:
        return self.run.step.until_sample


class GrowingVoice:
    """One voice of a plan that grows.

    Attributes
    ----------
    crossfade : CrossfadeOptions
    until_sample : int
        End of its last step; 0 if there is none.
    """

    def __init__(
        self,
        reader: SampleReader,
        *,
        sample_rate: int,
        channels: int,
        voice: int = 0,
        crossfade: CrossfadeOptions = DEFAULT_CROSSFADE,
    ) -> None:
        self.crossfade = crossfade
        self.until_sample = 0
        self._reader = reader
        self._plan = Plan(sample_rate, channels, {}, ())
        self._voice = voice
        self._reach = crossfade.reach_samples(sample_rate)
        self._runs: list[_Playing] = []
        self._resting_until = 0
        self._forgotten = 0

    def __copy__(self) -> Self:
        """Return a voice that goes on from here by itself."""
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        other._runs = self._runs[:]
        return other

    def add(self, step: Step) -> None:
        """Add the next step.

        Raises
        ------
        PlanError
            If it could not stand in a plan behind the steps before it; or if it is transposed or
            stretched and goes on from the one before: such runs are made as a whole, and this one
            may have been played. `runs.kept_apart` makes such a step one that can be added.
        """
        last = self._runs[-1].last if self._runs else None
        goes_on = last is not None and is_contiguous(last, step)
        self._check(step, goes_on)
        if goes_on:
            self._runs[-1] = self._grown(self._runs[-1], step)
        else:
            [run] = join_runs([step])
            self._runs.append(_Playing(run, step, self._open(run)))
        self.until_sample = step.until_sample

    def rest(self, until: int) -> None:
        """Take note that no step begins before `until`, so that silence up to there is final."""
        self._resting_until = max(self._resting_until, until)

    @property
    def final_until(self) -> int:
        """The sample before which all are final, whatever comes next."""
        if not self._runs or self._resting_until > self.until_sample:
            return self._resting_until
        run = self._runs[-1].run
        tail = run.tail_limit(self._reach)
        if not _can_grow(run):
            return self.until_sample - tail
        if not run.is_head_settled(self._reach):
            return run.step.at_sample - self._left(len(self._runs) - 1)
        return self.until_sample - max(tail, run.glide_limit(self._plan.sample_rate))

    def read(self, start: int, stop: int) -> np.ndarray:
        """Return the samples from `start` to `stop`, float32, shape (stop - start, channels).

        Raises
        ------
        ParameterError
            If they are not final, or forgotten.
        """
        final = self.final_until
        if not self._forgotten <= start <= stop <= final:
            raise ParameterError(
                f"start={start}, stop={stop} must be in order, and within {self._forgotten} to"
                f" {final}: what was not forgotten and is final"
            )
        out = np.zeros((stop - start, self._plan.channels), np.float32)
        first = bisect_right(self._runs, start, key=_until_sample)
        for number in range(first, len(self._runs)):
            if self._runs[number].at_sample - self._left(number) >= stop:
                break
            self._read_run(out, start, number)
        return out

    def preview(self, steps: Sequence[Step], start: int, stop: int) -> np.ndarray:
        """Return the samples as `read` does, if these steps came next and silence after them.

        Nothing changes. Raises as `add` and `read` do.
        """
        ahead = copy(self)
        for step in steps:
            ahead.add(step)
        ahead.rest(max(stop, ahead.until_sample + 1))
        return ahead.read(start, stop)

    def forget(self, before: int) -> None:
        """Forget what only reads before a sample need; it may lie anywhere.

        Its memory is then that of the few runs and ramps around this sample.
        """
        before = min(before, self.final_until)
        self._forgotten = max(self._forgotten, before)
        heard = bisect_right(self._runs, before, key=_until_sample)
        needed = min(heard, len(self._runs) - 1) - 1  # the one before it is a side of its join
        del self._runs[: max(needed, 0)]
        if self._runs:
            self._forget_ramps(before)

    def _check(self, step: Step, goes_on: bool) -> None:
        problem = None
        free = max(self.until_sample, self._resting_until)
        n_samples = self._reader.length(step.source)
        if step.voice != self._voice:
            problem = f"voice={step.voice} must be {self._voice}"
        elif step.at_sample < free:
            problem = f"at_sample={step.at_sample} must be at least {free}, where the voice is free"
        elif step.ramp and not goes_on:
            problem = "ramp=true, but it does not go on from the step before; make it false"
        elif goes_on and step.is_resampled:
            problem = (
                "transposed or stretched, it must not go on from the step before; change its gain"
                " a little, or move it"
            )
        elif not step.fits_in(n_samples):
            problem = f"it ends at {step.end_sample}, but the source has {n_samples} samples"
        if problem:
            raise PlanError(f"step of {step.source}: {problem}")

    def _open(self, run: Run) -> RunAudio:
        return RunAudio(run.step, self._reader, self._plan, run.ramps)

    def _grown(self, before: _Playing, step: Step) -> _Playing:
        """Return a run with one more step; the join at its start is kept if it stays."""
        run = before.run.grown(before.last, step)
        begin = before.begin if before.run.is_head_settled(self._reach) else None
        return _Playing(run, step, self._open(run), begin)

    def _ends_in_silence(self, number: int) -> bool:
        """Return whether it is known that silence follows a run."""
        until = self._runs[number].until_sample
        if number + 1 < len(self._runs):
            return self._runs[number + 1].at_sample > until
        return self._resting_until > until

    def _left(self, number: int) -> int:
        """Return the samples before a run that its first join may change."""
        if number == 0 or self._ends_in_silence(number - 1):
            return 0
        return self._runs[number - 1].run.tail_limit(self._reach)

    def _read_run(self, out: np.ndarray, start: int, number: int) -> None:
        """Add one run's part to the samples from `start` on: its joins and what is between."""
        one = self._runs[number]
        stop = start + len(out)
        begins = one.at_sample - self._left(number)
        plain = one.at_sample + one.run.head_limit(self._reach)
        if begins < stop and start < plain and begins < plain:
            _place(out, start, self._begin_of(number))
        ends = one.until_sample
        if self._ends_in_silence(number):
            ends -= one.run.tail_limit(self._reach)
            if ends < stop and ends < one.until_sample:
                _place(out, start, self._end_of(one))
        elif number + 1 < len(self._runs):
            ends -= self._left(number + 1)
        first = max(plain, start)
        last = min(ends, stop)
        if first < last:
            one.audio.read(out[first - start : last - start], first - one.at_sample)

    def _begin_of(self, number: int) -> MadeJoin:
        one = self._runs[number]
        if one.begin is None:
            before = None
            if number and not self._ends_in_silence(number - 1):
                outgoing = self._runs[number - 1]
                before = outgoing.run, outgoing.audio
            one.begin = self._join(one.at_sample, before, (one.run, one.audio))
        return one.begin

    def _end_of(self, one: _Playing) -> MadeJoin:
        if one.end is None:
            one.end = self._join(one.until_sample, (one.run, one.audio), None)
        return one.end

    def _join(
        self,
        at_sample: int,
        outgoing: tuple[Run, RunAudio] | None,
        incoming: tuple[Run, RunAudio] | None,
    ) -> MadeJoin:
        return make_join(at_sample, outgoing, incoming, crossfade=self.crossfade, plan=self._plan)

    def _forget_ramps(self, before: int) -> None:
        """Forget the ramps of the last run that neither reads nor its next join need."""
        one = self._runs[-1]
        rate = self._plan.sample_rate
        zone = self._reach + 2 * ZONE_GRID + context_samples(self.crossfade, rate)
        needed_from = min(before, one.until_sample - zone) - one.at_sample
        run = one.run.without_ramps(needed_from, rate)
        if run is not one.run:
            self._runs[-1] = _Playing(run, one.last, self._open(run), one.begin, one.end)


def _can_grow(run: Run) -> bool:
    """Return whether another step may go on from a run."""
    return not (run.step.reverse or run.step.is_resampled)


def _place(out: np.ndarray, start: int, made: MadeJoin) -> None:
    """Copy a join's samples to where they are, in the samples from `start` on."""
    begin = made.join.at_sample - made.left
    first = max(begin, start)
    last = min(begin + len(made.mixed), start + len(out))
    if first < last:
        out[first - start : last - start] = made.mixed[first - begin : last - begin]


def _until_sample(one: _Playing) -> int:
    return one.until_sample
