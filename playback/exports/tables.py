"""Export a plan as tables: a label track for Audacity, and CSV with all keys of its steps."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from playback.exports.names import unit_name

if TYPE_CHECKING:
    from files.roots import Roots
    from playback.cues import Cue
    from playback.plan import Plan

STEP_COLUMNS = ("unit", "source", "start_sample", "n_samples", "at_sample")
SECONDS_COLUMNS = ("start_seconds", "at_seconds", "seconds")
HOW_COLUMNS = ("gain_db", "reverse", "transpose", "stretch", "distance", "join")
CUE_COLUMNS = ("fade_in", "fade_out")


def export_labels(plan: Plan, cues: list[Cue], roots: Roots) -> str:
    """Return Audacity labels, one per step: start, end and name, separated by tabs.

    Times are in seconds, without overlaps. Of several voices, a name begins with the voice.

    Format: https://manual.audacityteam.org/man/importing_and_exporting_labels.html
    """
    rate = plan.sample_rate
    lines = []
    for cue in cues:
        start = cue.step.at_sample / rate
        end = cue.step.until_sample / rate
        name = unit_name(cue.step)
        if plan.n_voices > 1:
            name = f"voice {cue.step.voice}: {name}"
        lines.append(f"{start:.9f}\t{end:.9f}\t{name}\n")
    return "".join(lines)


def export_csv(plan: Plan, cues: list[Cue], roots: Roots) -> str:
    """Return a header and one row per step.

    Samples are at the plan's rate; `start_*` refer to the source, `at_*` to the output. There is a
    column `voice` if there are several.
    """
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    voice = ("voice",) if plan.n_voices > 1 else ()
    rows.writerow(("number", *voice, *STEP_COLUMNS, *SECONDS_COLUMNS, *HOW_COLUMNS, *CUE_COLUMNS))
    for cue in cues:
        step = cue.step
        samples = step.start_sample, step.at_sample, step.n_samples
        rows.writerow(
            [
                cue.number,
                *(getattr(step, name) for name in voice),
                *(getattr(step, name) for name in STEP_COLUMNS),
                *(n / plan.sample_rate for n in samples),
                *(getattr(step, name) for name in HOW_COLUMNS),
                *(getattr(cue, name) for name in CUE_COLUMNS),
            ]
        )
    return text.getvalue()
