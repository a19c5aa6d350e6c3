"""A plan as other tools read it: each export takes (plan, cues, corpus folder) and returns the
file's whole text, UTF-8.
"""

from collections.abc import Callable
from pathlib import Path

from playback.cues import Cue
from playback.exports.edl import export_edl
from playback.exports.reaper import export_reaper
from playback.exports.tables import export_csv, export_labels
from playback.plan import Plan

EXPORTS: dict[str, Callable[[Plan, list[Cue], Path], str]] = {
    "reaper": export_reaper,
    "labels": export_labels,
    "csv": export_csv,
    "edl": export_edl,
}
