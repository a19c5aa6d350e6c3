"""Find the part of a plan's audio that an edit changes; only that part is stitched again.

old   ── A ──┬── B ──┬──── C ────┬── D ──       The runs in front (A, B) and at the back (D) are the
new   ── A ──┬── B ──┬── X ──┬── D ──           same. The new part runs from where B's crossfade
                 └─made anew──┘                 into X may begin to where X's into D may end.

old   ── A ──┬────────── B ───────────┬── D ──  Runs that begin, or end, in the same way are the
new   ── A ──┬─── B ──┬─ X ─┬─── B ───┬── D ──  same up to where their crossfades may begin.
                  └made anew─┘

Each voice is compared by itself; what any of them makes anew, all do.
"""

from collections.abc import Iterable, Set
from dataclasses import dataclass, replace
from itertools import takewhile
from operator import is_
from typing import Any, NamedTuple, Self

from playback.options import CrossfadeOptions
from playback.overlaps import context_samples
from playback.plan import Plan
from playback.runs import ZONE_GRID, Run, join_runs, run_end, run_start
from playback.steps import Step


@dataclass(frozen=True)
class Change:
    """The part of a new plan's audio that differs from the old plan's.

    The new audio equals the old up to `start`, differs up to `new_stop`, and then continues like
    the old from `old_stop` on.
    """

    start: int
    old_stop: int
    new_stop: int


def find_change(old: Plan, new: Plan, crossfade: CrossfadeOptions) -> Change | None:
    """Return the part of the audio that must be made anew; None if nothing has changed.

    Both plans must be of the same corpus and use the same crossfade.
    """
    if (old.sample_rate, old.channels) != (new.sample_rate, new.channels):
        return Change(0, old.n_samples, new.n_samples)
    replaced = _replaced_sources(old, new)
    start = behind = None
    for voice in range(max(old.n_voices, new.n_voices)):
        same = _find_same(_Part.of(old, voice), _Part.of(new, voice), crossfade, replaced)
        if same:
            start = same[0] if start is None else min(start, same[0])
            behind = same[1] if behind is None else min(behind, same[1])
    if start is None or behind is None:
        return None
    behind = min(behind, old.n_samples - start, new.n_samples - start)
    return Change(start, old.n_samples - behind, new.n_samples - behind)


def _replaced_sources(old: Plan, new: Plan) -> set[str]:
    """Return the sources whose files differ between the plans."""
    both = old.sources.keys() & new.sources.keys()
    return {source for source in both if _hash(old, source) != _hash(new, source)}


def _hash(plan: Plan, source: str) -> str:
    return plan.sources[source]["hash"]


@dataclass(frozen=True)
class _Part:
    """Steps of one voice of a plan that follow each other.

    `start` and `stop` are its bounds in the output. They include a rest at the very beginning or
    end, if it begins or ends the plan.
    """

    plan: Plan
    steps: tuple[Step, ...]
    start: int
    stop: int

    @classmethod
    def of(cls, plan: Plan, voice: int) -> Self:
        """Return all of a voice, which may be empty."""
        numbers = plan.voices[voice] if voice < plan.n_voices else range(0)
        return cls(plan, plan.steps[numbers.start : numbers.stop], 0, plan.n_samples)

    def cut(self, first: int, last: int) -> Self:
        """Return the part of its steps `first` to `last`."""
        steps = self.steps[first : last + 1]
        start = steps[0].at_sample if first else self.start
        stop = steps[-1].until_sample if last + 1 < len(self.steps) else self.stop
        return replace(self, steps=steps, start=start, stop=stop)

    @property
    def behind(self) -> int:
        """Number of samples after it."""
        return self.plan.n_samples - self.stop


def _find_same(
    old: _Part, new: _Part, crossfade: CrossfadeOptions, replaced: Set[str]
) -> tuple[int, int] | None:
    """Return how many samples of a voice are the same at its beginning and end; None for all.

    `replaced` are the sources whose files differ between the plans.
    """
    if not replaced and old.steps and new.steps:
        old, new = _without_same_ends(old, new)
    before = _pieces(old, crossfade, replaced)
    after = _pieces(new, crossfade, replaced)
    if before == after:
        return None
    start = old.start + _n_shared(before, after)
    return start, old.behind + _n_shared(_mirrored(before), _mirrored(after))


def _without_same_ends(old: _Part, new: _Part) -> tuple[_Part, _Part]:
    """Leave out all but the innermost of the runs at both ends that consist of the same objects.

    An edit keeps most steps of a long plan as they are. Comparing each of them by value would take
    longer than stitching the changed part.
    """
    fewest = min(len(old.steps), len(new.steps))
    front = _n_same(old.steps, new.steps)
    back = 0
    if old.stop == new.stop:
        back = min(_n_same(reversed(old.steps), reversed(new.steps)), fewest - front)
    first = run_start(old.steps, run_start(old.steps, front - 1) - 1)
    last = run_end(old.steps, run_end(old.steps, len(old.steps) - back) + 1)
    new_last = last + len(new.steps) - len(old.steps)
    return old.cut(first, last), new.cut(first, new_last)


def _n_same(old: Iterable[Step], new: Iterable[Step]) -> int:
    """Return the number of steps at the beginning that are the same objects."""
    return sum(takewhile(bool, map(is_, old, new)))


class _Piece(NamedTuple):
    """A run or a rest, regardless of its place in the plan.

    Two pieces with the same `begins` and `head_limit` sound the same except at their ends.
    `head_limit` and `tail_limit` are the numbers of samples at the two ends that crossfades may
    change. For a rest these are 0, and `begins` and `ends` are None.
    """

    n_samples: int
    head_limit: int = 0
    tail_limit: int = 0
    begins: tuple[Any, ...] | None = None
    ends: tuple[Any, ...] | None = None


def _mirrored(pieces: list[_Piece]) -> list[_Piece]:
    """Return the pieces in reverse order, each with its ends swapped."""
    return [
        _Piece(piece.n_samples, piece.tail_limit, piece.head_limit, piece.ends, piece.begins)
        for piece in reversed(pieces)
    ]


def _pieces(part: _Part, crossfade: CrossfadeOptions, replaced: Set[str]) -> list[_Piece]:
    """Return all runs and rests in order; a run whose gain glides is a piece for each step."""
    reach = crossfade.reach_samples(part.plan.sample_rate)
    pieces: list[_Piece] = []
    at = part.start
    for run in join_runs(part.steps):
        if run.step.at_sample > at:
            pieces.append(_Piece(run.step.at_sample - at))
        file = _hash(part.plan, run.step.source) if run.step.source in replaced else ""
        if run.ramps and not run.step.is_transformed:
            pieces += _pieces_of_ramps(part, run, file, crossfade)
        else:
            pieces.append(_piece(run, file, reach))
        at = run.step.until_sample
    return [*pieces, _Piece(part.stop - at)]


def _piece(run: Run, file: str, reach: int) -> _Piece:
    """Return the piece of a run: its source, the hash of that file, and how it is played."""
    step = run.step
    sound: tuple[Any, ...] = step.source, file, step.gain_db
    if step.is_transformed:  # transformed as a whole: no part of it equals that of another run
        sound += step.start_sample, step.n_samples, step.reverse, step.transpose, step.stretch
        sound += run.ramps
    begins = (*sound, step.start_sample)
    ends = (*sound, step.end_sample)
    return _Piece(step.n_samples, run.head_limit(reach), run.tail_limit(reach), begins, ends)


def _pieces_of_ramps(part: _Part, run: Run, file: str, crossfade: CrossfadeOptions) -> list[_Piece]:
    """Return a piece for each step of a run whose gain glides.

    How it glides is a part of a step's sound; at the two ends of the run, also how it glides as far
    away as a crossfade looks.
    """
    rate = part.plan.sample_rate
    reach = crossfade.reach_samples(rate)
    seen = reach + context_samples(crossfade, rate) + 2 * ZONE_GRID
    ramps = {ramp.offset: ramp[1:] for ramp in run.ramps}
    n_samples = run.step.n_samples
    pieces = []
    for step in part.steps[run.first : run.last + 1]:
        offset = step.at_sample - run.step.at_sample
        glides = ramps.get(offset), ramps.get(offset + step.n_samples)
        sound = step.source, file, step.gain_db, step.start_sample, step.n_samples, glides
        pieces.append(_Piece(step.n_samples, begins=sound, ends=sound))
    head = [ramp for ramp in run.ramps if ramp.offset - ramp.half(rate) < seen]
    tail = [
        (n_samples - ramp.offset, *ramp[1:])
        for ramp in run.ramps
        if n_samples - ramp.offset - ramp.half(rate) < seen
    ]
    begins = pieces[0].begins, tuple(head)
    ends = pieces[-1].ends, tuple(tail)
    pieces[0] = pieces[0]._replace(head_limit=run.head_limit(reach), begins=begins)
    pieces[-1] = pieces[-1]._replace(tail_limit=run.tail_limit(reach), ends=ends)
    return pieces


def _n_shared(before: list[_Piece], after: list[_Piece]) -> int:
    """Return the number of samples at the beginning that are the same in both."""
    n_shared = in_doubt = 0
    for old, new in zip(before, after, strict=False):
        if old != new:
            if (old.begins, old.head_limit) == (new.begins, new.head_limit):
                return n_shared + min(piece.n_samples - piece.tail_limit for piece in (old, new))
            break
        n_shared += old.n_samples
        in_doubt = old.tail_limit
    return n_shared - in_doubt
