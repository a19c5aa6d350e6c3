"""What an edit of a plan changes of its sound: only that must be stitched again.

old   ── A ──┬── B ──┬──── C ────┬── D ──       the same runs in front: A, B; at the back: D
new   ── A ──┬── B ──┬── X ──┬── D ──
                 └─made anew──┘                 from where B's last seam may begin to where D's first one may end

old   ── A ──┬────────── B ───────────┬── D ──  two runs that begin alike, or end alike, are the same as far as their
new   ── A ──┬─── B ──┬─ X ─┬─── B ───┬── D ──  seams do not reach
                  └made anew─┘
"""

from collections.abc import Set
from dataclasses import dataclass
from typing import Any, NamedTuple

from playback.crossfade import SeamOptions
from playback.plan import Plan
from playback.stitch import Run, join_runs


@dataclass(frozen=True)
class Change:
    """The new plan's output is the old one's up to `start`, its own up to `new_stop`, the old one's from `old_stop` on."""

    start: int
    old_stop: int
    new_stop: int


def changed(old: Plan, new: Plan, seams: SeamOptions) -> Change | None:
    """What of the output must be made anew; None if nothing. Both plans are of one corpus, and have the same seams."""
    if (old.sample_rate, old.channels) != (new.sample_rate, new.channels):
        return Change(0, old.n_samples, new.n_samples)
    compared = old.sources.keys() & new.sources.keys()  # a source that one of them takes as it is, is the same
    before, after = (_pieces(plan, seams, compared) for plan in (old, new))
    if before == after:
        return None
    start = _n_shared(before, after)
    behind = _n_shared(*([piece.mirrored() for piece in reversed(pieces)] for pieces in (before, after)))
    behind = min(behind, old.n_samples - start, new.n_samples - start)
    return Change(start, old.n_samples - behind, new.n_samples - behind)


class _Piece(NamedTuple):
    """A run or a rest, wherever it lies. Two that have the same `begins` and `head_room` sound the same but for how they end.

    `head_room` and `tail_room` are the samples at its two ends that seams may change; of a rest these are 0, and `begins` and
    `ends` are None.
    """

    n_samples: int
    head_room: int = 0
    tail_room: int = 0
    begins: tuple[Any, ...] | None = None
    ends: tuple[Any, ...] | None = None

    def mirrored(self) -> "_Piece":
        """Seen from the other end."""
        return _Piece(self.n_samples, self.tail_room, self.head_room, self.ends, self.begins)


def _pieces(plan: Plan, seams: SeamOptions, compared: Set[str]) -> list[_Piece]:
    """Runs and rests, from the first sample to the last; `compared` are the sources whose files may be others."""
    most, pieces, at = seams.most(plan.sample_rate), list[_Piece](), 0
    for run in join_runs(plan.steps):
        if run.step.at_sample > at:
            pieces.append(_Piece(run.step.at_sample - at))
        pieces.append(_piece(run, plan, most, compared))
        at = run.step.until_sample
    return [*pieces, _Piece(plan.tail_samples)]


def _piece(run: Run, plan: Plan, most: int, compared: Set[str]) -> _Piece:
    """A source that is another file than before is another sound; a transformed unit is made as a whole."""
    step = run.step
    sound: tuple[Any, ...] = step.source, plan.sources[step.source]["hash"] if step.source in compared else "", step.gain_db
    if step.is_transformed:
        sound += step.start_sample, step.n_samples, step.reverse, step.transpose, step.stretch
    begins, ends = (*sound, step.start_sample), (*sound, step.end_sample)
    return _Piece(step.n_samples, run.head_room(most), run.tail_room(most), begins, ends)


def _n_shared(before: list[_Piece], after: list[_Piece]) -> int:
    """Samples at the beginning that are the same in both."""
    n_shared = in_doubt = 0
    for old, new in zip(before, after, strict=False):
        if old != new:
            if (old.begins, old.head_room) == (new.begins, new.head_room):
                return n_shared + min(piece.n_samples - piece.tail_room for piece in (old, new))
            break
        n_shared, in_doubt = n_shared + old.n_samples, old.tail_room
    return n_shared - in_doubt
