"""A plan as files of other tools. To add a format: one module, and one line in `EXPORTS`.

It imports nothing that takes long, so that the command line can offer the choices.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from playback.exports.edl import export_edl
from playback.exports.reaper import export_reaper
from playback.exports.tables import export_csv, export_labels

if TYPE_CHECKING:
    from playback.cues import Cue
    from playback.plan import Plan


@dataclass(frozen=True)
class Export:
    """A format of files for other tools.

    `write` returns a file's text, UTF-8, from the plan, its cues and the corpus folder. `help` says
    what is written. `is_played` says that tools play the file, so that it should be as loud as the
    render; the others list the plan as it is.
    """

    suffix: str
    write: Callable[[Plan, list[Cue], Path], str]
    help: str
    is_played: bool = False


EXPORTS = {
    "reaper": Export(".rpp", export_reaper, "a REAPER project", is_played=True),
    "labels": Export(".txt", export_labels, "Audacity labels"),
    "csv": Export(".csv", export_csv, "a table"),
    "edl": Export(".edl", export_edl, "a Samplitude EDL", is_played=True),
}
