"""Names of units, their files and their tracks in exports."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from files.errors import PlanError
from files.names import printable
from playback.steps import lies_outside

if TYPE_CHECKING:
    from files.roots import Roots
    from playback.cues import Cue
    from playback.plan import Plan
    from playback.steps import Step

UNWRITABLE = re.compile(r"[\r\n\ud800-\udfff]")  # line breaks, and bytes that are not UTF-8


def unit_name(step: Step) -> str:
    """Return the source and the unit's id on one line, for example "drums/kick 17"."""
    source = PurePosixPath(step.source).with_suffix("")
    return printable(f"{source.name if lies_outside(step.source) else source} {step.unit}")


def tracks_of(plan: Plan, cues: Iterable[Cue]) -> dict[int, dict[str, list[Cue]]]:
    """Return the two tracks of each voice: neighbours overlap, so its cues take turns."""
    voices: defaultdict[int, list[Cue]] = defaultdict(list)
    for cue in cues:
        voices[cue.step.voice].append(cue)
    tracks = {}
    for voice, played in voices.items():
        name = f"voice {voice}," if plan.n_voices > 1 else "Demiurge"
        tracks[voice] = {f"{name} 1": played[::2], f"{name} 2": played[1::2]}
    return tracks


def source_path(cue: Cue, roots: Roots) -> str:
    """Return the absolute path of a cue's source; of an object, that of its copy in the cache.

    Raises
    ------
    PlanError
        If it does not fit in one line of a text file.
    FetchError
        If an object cannot be fetched.
    """
    path = str(roots.file_of(cue.step.source).absolute())
    if UNWRITABLE.search(path):
        raise PlanError(
            f"step {cue.number}: {path!r} has a line break or is not UTF-8, so a project cannot"
            " name it; rename the file"
        )
    return path
