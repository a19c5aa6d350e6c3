"""Export plans for other tools. A new format needs a module and an entry in `EXPORTS`.

This module imports nothing slow, so that the command line can list the choices quickly.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from playback.exports.edl import export_edl
from playback.exports.reaper import export_reaper
from playback.exports.tables import export_csv, export_labels

if TYPE_CHECKING:
    from files.roots import Roots
    from playback.cues import Cue
    from playback.plan import Plan


@dataclass(frozen=True)
class Export:
    """A file format for other tools.

    `write` returns a file's text, to be stored as UTF-8, from the plan, its cues and the corpus
    folders. `help` describes the file. `is_played` is True if tools play the file, so that it must
    be as loud as the render; other formats only list the plan.
    """

    suffix: str
    write: Callable[[Plan, list[Cue], Roots], str]
    help: str
    is_played: bool = False


EXPORTS = {
    "reaper": Export(".rpp", export_reaper, "a REAPER project", is_played=True),
    "labels": Export(".txt", export_labels, "Audacity labels"),
    "csv": Export(".csv", export_csv, "a table"),
    "edl": Export(".edl", export_edl, "a Samplitude EDL", is_played=True),
}
