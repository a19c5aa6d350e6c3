"""Export a plan as Samplitude EDL 1.5, which Samplitude, Sequoia and REAPER read.

It is plain text, exact to the sample. CMX 3600, the EDL that most tools know, counts video frames:
at 30 per second, a unit of 23 ms is less than one frame. Play-In and Play-Out lie in the output,
Record-In and Record-Out in the source, all in samples at the plan's rate. Neighbours overlap in
their fades, so the steps of a voice alternate between two tracks.

A row gives the lengths of its fades, but not their shape ("*default" is the reading program's own),
and has no place for a cue's envelope: a gain that glides changes at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import TYPE_CHECKING

from files.errors import PlanError
from playback.exports.names import source_path, tracks_of, unit_name

if TYPE_CHECKING:
    from files.roots import Roots
    from playback.cues import Cue
    from playback.plan import Plan

WIDTHS = (7, 5, 12, 12, 12, 12, 9, 2, 2, 12, 5, 34, 12, 5, 34, 5)
COLUMNS = (
    "#Source Track Play-In Play-Out Record-In Record-Out Vol(dB) MT LK FadeIn % CurveType FadeOut %"
    " CurveType Name"
)
CURVE = '"*default"'
UNTRANSFORMED = {"reverse": False, "transpose": 0, "stretch": 1}


def export_edl(plan: Plan, cues: list[Cue], roots: Roots) -> str:
    """Return the text of the EDL.

    Raises
    ------
    PlanError
        If a step is reversed, transposed or stretched, which the format cannot express, or if the
        name of its file cannot be quoted.
    """
    for cue in cues:
        _check(cue, roots)
    paths = dict.fromkeys(source_path(cue, roots) for cue in cues)
    numbers = {path: number for number, path in enumerate(paths, start=1)}
    lines = [
        "Samplitude EDL File Format Version 1.5",
        'Title: "Demiurge"',
        f"Sample Rate: {plan.sample_rate}",
        f"Output Channels: {plan.channels}",
        "",
        f"Source Table Entries: {len(numbers)}",
    ]
    lines += [f'{number:>4} "{path}"' for path, number in numbers.items()]
    tracks = chain.from_iterable(voice.items() for voice in tracks_of(plan, cues).values())
    for track, (name, part) in enumerate(tracks, start=1):
        lines += ["", f'Track {track}: "{name}" Solo: 0 Mute: 0', *_table_head()]
        for cue in part:
            lines.append(_row(_edit(cue, numbers[source_path(cue, roots)], track)))
    return "\n".join([*lines, ""])


def _check(cue: Cue, roots: Roots) -> None:
    for name, plain in UNTRANSFORMED.items():
        value = getattr(cue.step, name)
        if value != plain:
            raise PlanError(
                f"step {cue.number}: an EDL cannot express {name}={value!r}; export to reaper"
                " instead"
            )
    path = source_path(cue, roots)
    if '"' in path:
        raise PlanError(
            f"step {cue.number}: {path} contains a quote, which an EDL cannot hold; rename it, or"
            " export to reaper"
        )


def _table_head() -> list[str]:
    return [_row(COLUMNS.split()), "#" + _row("-" * width for width in WIDTHS)[1:]]


def _edit(cue: Cue, source: int, track: int) -> tuple[object, ...]:
    """Return a cue's row, one cell per column."""
    start = cue.step.start_sample - cue.lead
    output = cue.at_sample, cue.at_sample + cue.n_samples
    record = start, start + cue.n_samples
    volume = f"{cue.step.gain_db:.4f}", 0, 0
    fade_in = cue.fade_in, 0, CURVE
    fade_out = cue.fade_out, 0, CURVE
    name = f'"{unit_name(cue.step)}"'
    return (source, track, *output, *record, *volume, *fade_in, *fade_out, name)


def _row(cells: Iterable[object]) -> str:
    columns = zip(map(str, cells), WIDTHS, strict=True)
    return " ".join(f"{cell:>{width}}" for cell, width in columns)
