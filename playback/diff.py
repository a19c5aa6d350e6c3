"""What an edit of a plan changes of its sound: only that must be stitched again.

old   ── A ──┬── B ──┬──── C ────┬── D ──       the same runs in front: A, B; at the back: D
new   ── A ──┬── B ──┬── X ──┬── D ──
                 └─made anew──┘                 from where B's last seam may begin to where D's first one may end

old   ── A ──┬────────── B ───────────┬── D ──  two runs that begin alike, or end alike, are the same as far as their
new   ── A ──┬─── B ──┬─ X ─┬─── B ───┬── D ──  crossfade do not reach
                  └made anew─┘
"""

from collections.abc import Set
from dataclasses import dataclass
from itertools import takewhile
from operator import is_
from typing import Any, NamedTuple

from playback.crossfade import CrossfadeOptions
from playback.plan import Plan, Step
from playback.stitch import Run, join_runs, run_end, run_start


@dataclass(frozen=True)
class Change:
    """The new plan's output is the old one's up to `start`, its own up to `new_stop`, the old one's
    from `old_stop` on.
    """

    start: int
    old_stop: int
    new_stop: int


def changed(old: Plan, new: Plan, crossfade: CrossfadeOptions) -> Change | None:
    """What of the output must be made anew; None if nothing. Both plans are of one corpus, and have
    the same crossfade.
    """
    if (old.sample_rate, old.channels) != (new.sample_rate, new.channels):
        return Change(0, old.n_samples, new.n_samples)
    others = {
        source
        for source in old.sources.keys() & new.sources.keys()
        if _hash(old, source) != _hash(new, source)
    }
    parts = _Part(old), _Part(new)
    if not others:
        parts = _without_same_ends(old, new)
    before, after = (_pieces(part, crossfade, others) for part in parts)
    if before == after:
        return None
    start = parts[0].start + _n_shared(before, after)
    behind = parts[0].behind + _n_shared(
        *([piece.mirrored() for piece in reversed(pieces)] for pieces in (before, after))
    )
    behind = min(behind, old.n_samples - start, new.n_samples - start)
    return Change(start, old.n_samples - behind, new.n_samples - behind)


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
        return self.plan.steps[self.first : self.end]

    @property
    def end(self) -> int:
        return self.last % len(self.plan.steps) + 1

    @property
    def start(self) -> int:
        """Where it begins in the output, a rest at the very beginning included."""
        return self.plan.steps[self.first].at_sample if self.first else 0

    @property
    def behind(self) -> int:
        """Samples after it, a rest at the very end excluded."""
        return (
            self.plan.n_samples - self.plan.steps[self.end - 1].until_sample
            if self.end < len(self.plan.steps)
            else 0
        )

    @property
    def tail_samples(self) -> int:
        return self.plan.tail_samples if self.end == len(self.plan.steps) else 0


def _without_same_ends(old: Plan, new: Plan) -> tuple[_Part, _Part]:
    """Both without the runs at their ends that are made of the very same steps, but for two on
    either side: an edit leaves most of a long plan's steps alone, and to look at each would take
    longer than to stitch what it changes.
    """
    fewest = min(len(old.steps), len(new.steps))
    front = sum(takewhile(bool, map(is_, old.steps, new.steps)))
    back = 0
    if old.n_samples == new.n_samples and old.tail_samples == new.tail_samples:
        back = min(
            sum(takewhile(bool, map(is_, reversed(old.steps), reversed(new.steps)))), fewest - front
        )
    first = run_start(old.steps, run_start(old.steps, front - 1) - 1)
    last = run_end(old.steps, run_end(old.steps, len(old.steps) - back) + 1)
    return _Part(old, first, last), _Part(new, first, last + len(new.steps) - len(old.steps))


class _Piece(NamedTuple):
    """A run or a rest, wherever it lies.

    Two that have the same `begins` and `head_room` sound the same but for how they end.

    `head_room` and `tail_room` are the samples at its two ends that crossfade may change; of a rest
    these are 0, and `begins` and `ends` are None.
    """

    n_samples: int
    head_room: int = 0
    tail_room: int = 0
    begins: tuple[Any, ...] | None = None
    ends: tuple[Any, ...] | None = None

    def mirrored(self) -> "_Piece":
        """Seen from the other end."""
        return _Piece(self.n_samples, self.tail_room, self.head_room, self.ends, self.begins)


def _pieces(part: _Part, crossfade: CrossfadeOptions, others: Set[str]) -> list[_Piece]:
    """Runs and rests, from the first sample to the last; `others` are the sources whose files
    differ between the plans.
    """
    most = crossfade.most(part.plan.sample_rate)
    pieces = list[_Piece]()
    at = part.start
    for run in join_runs(part.steps):
        if run.step.at_sample > at:
            pieces.append(_Piece(run.step.at_sample - at))
        file = _hash(part.plan, run.step.source) if run.step.source in others else ""
        pieces.append(_piece(run, file, most))
        at = run.step.until_sample
    return [*pieces, _Piece(part.tail_samples)]


def _piece(run: Run, file: str, most: int) -> _Piece:
    """A source that is another file than before is another sound; a transformed unit is made as a
    whole.
    """
    step = run.step
    sound: tuple[Any, ...] = step.source, file, step.gain_db
    if step.is_transformed:
        sound += step.start_sample, step.n_samples, step.reverse, step.transpose, step.stretch
    begins = (*sound, step.start_sample)
    ends = (*sound, step.end_sample)
    return _Piece(step.n_samples, run.head_room(most), run.tail_room(most), begins, ends)


def _n_shared(before: list[_Piece], after: list[_Piece]) -> int:
    """Samples at the beginning that are the same in both."""
    n_shared = in_doubt = 0
    for old, new in zip(before, after, strict=False):
        if old != new:
            if (old.begins, old.head_room) == (new.begins, new.head_room):
                return n_shared + min(piece.n_samples - piece.tail_room for piece in (old, new))
            break
        n_shared = n_shared + old.n_samples
        in_doubt = old.tail_room
    return n_shared - in_doubt
