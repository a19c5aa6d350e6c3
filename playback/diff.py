"""Find the part of a plan's audio that an edit changes; only that part is stitched again.

old   ── A ──┬── B ──┬──── C ────┬── D ──       The runs in front (A, B) and at the back (D) are the
new   ── A ──┬── B ──┬── X ──┬── D ──           same. The new part runs from where B's crossfade
                 └─made anew──┘                 into X may begin to where X's into D may end.

old   ── A ──┬────────── B ───────────┬── D ──  Runs that begin, or end, in the same way are the
new   ── A ──┬─── B ──┬─ X ─┬─── B ───┬── D ──  same up to where their crossfades may begin.
                  └made anew─┘
"""

from collections.abc import Iterable, Set
from dataclasses import dataclass
from itertools import takewhile
from operator import is_
from typing import Any, NamedTuple

from playback.options import CrossfadeOptions
from playback.plan import Plan
from playback.runs import Run, join_runs, run_end, run_start
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
    old_part = _Part(old)
    new_part = _Part(new)
    if not replaced:
        old_part, new_part = _without_same_ends(old, new)
    before = _pieces(old_part, crossfade, replaced)
    after = _pieces(new_part, crossfade, replaced)
    if before == after:
        return None
    start = old_part.start + _n_shared(before, after)
    behind = old_part.behind + _n_shared(_mirrored(before), _mirrored(after))
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
    """Steps `first` to `last` of a plan, by default all."""

    plan: Plan
    first: int = 0
    last: int = -1

    @property
    def steps(self) -> tuple[Step, ...]:
        return self.plan.steps[self.first : self.stop]

    @property
    def stop(self) -> int:
        return self.last % len(self.plan.steps) + 1

    @property
    def start(self) -> int:
        """Start in the output, including a rest at the very beginning."""
        return self.plan.steps[self.first].at_sample if self.first else 0

    @property
    def behind(self) -> int:
        """Number of samples after it, not counting a rest at the very end, which is part of it."""
        if self.stop == len(self.plan.steps):
            return 0
        return self.plan.n_samples - self.plan.steps[self.stop - 1].until_sample

    @property
    def tail_samples(self) -> int:
        return self.plan.tail_samples if self.stop == len(self.plan.steps) else 0


def _without_same_ends(old: Plan, new: Plan) -> tuple[_Part, _Part]:
    """Leave out all but the innermost of the runs at both ends that consist of the same objects.

    An edit keeps most steps of a long plan as they are. Comparing each of them by value would take
    longer than stitching the changed part.
    """
    fewest = min(len(old.steps), len(new.steps))
    front = _n_same(old.steps, new.steps)
    back = 0
    if old.n_samples == new.n_samples and old.tail_samples == new.tail_samples:
        back = min(_n_same(reversed(old.steps), reversed(new.steps)), fewest - front)
    first = run_start(old.steps, run_start(old.steps, front - 1) - 1)
    last = run_end(old.steps, run_end(old.steps, len(old.steps) - back) + 1)
    new_last = last + len(new.steps) - len(old.steps)
    return _Part(old, first, last), _Part(new, first, new_last)


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
    """Return all runs and rests in order.

    `replaced` are the sources whose files differ between the plans.
    """
    reach = crossfade.reach_samples(part.plan.sample_rate)
    pieces: list[_Piece] = []
    at = part.start
    for run in join_runs(part.steps):
        if run.step.at_sample > at:
            pieces.append(_Piece(run.step.at_sample - at))
        file = _hash(part.plan, run.step.source) if run.step.source in replaced else ""
        pieces.append(_piece(run, file, reach))
        at = run.step.until_sample
    return [*pieces, _Piece(part.tail_samples)]


def _piece(run: Run, file: str, reach: int) -> _Piece:
    """Return the piece of a run: its source, the hash of that file, and how it is played."""
    step = run.step
    sound: tuple[Any, ...] = step.source, file, step.gain_db
    if step.is_transformed:  # transformed as a whole: no part of it equals that of another run
        sound += step.start_sample, step.n_samples, step.reverse, step.transpose, step.stretch
    begins = (*sound, step.start_sample)
    ends = (*sound, step.end_sample)
    return _Piece(step.n_samples, run.head_limit(reach), run.tail_limit(reach), begins, ends)


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
