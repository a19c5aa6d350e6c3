"""Options of demiurge playback: what to make of a plan."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from demiurge.cli.options.command import option, option_group
from demiurge.cli.options.paths import ANY_PATH, FILE_PATH
from playback.exports import EXPORTS
from playback.options import STEMS_BY

if TYPE_CHECKING:
    from playback.outputs import Outputs

output_option = partial(option, heading="What to make of the plan")


@dataclass(frozen=True)
class Wanted:
    """The outputs requested for a plan."""

    out: Path | None
    play: bool
    device: str | None
    exports: tuple[str, ...]
    stems: Path | None
    stems_by: str
    picture: Path | None
    show: bool

    @property
    def makes_something(self) -> bool:
        return bool(self.out or self.play or self.exports or self.stems or self.picture)

    def outputs(self, plan: Path) -> Outputs:
        """Return the files to write; exports go beside OUT, or else beside the plan."""
        from playback.outputs import Outputs, export_path

        exports = {kind: export_path(self.out or plan, kind) for kind in self.exports}
        return Outputs(self.out, self.picture, self.stems, exports, self.stems_by)


wanted_options = option_group(
    output_option("-o", "--out", type=FILE_PATH, help="The WAV, FLAC or OGG file to write."),
    output_option("--play", is_flag=True, help="Play it on the loudspeaker while rendering it."),
    output_option(
        "--device", help="Audio output for --play, a name or number. [default: the system's]"
    ),
    output_option(
        "--export",
        "exports",
        multiple=True,
        type=click.Choice(tuple(EXPORTS)),
        help=f"Write {', '.join(export.help for export in EXPORTS.values())} beside OUT or PLAN;"
        " repeatable.",
    ),
    output_option(
        "--stems", type=ANY_PATH, help="Folder for an audio file of each source's part, or voice's."
    ),
    output_option(
        "--stems-by",
        type=click.Choice(STEMS_BY),
        default="source",
        show_default=True,
        help="What has a stem of its own.",
    ),
    output_option(
        "--picture",
        type=FILE_PATH,
        help="Write a picture of OUT (sources, crossfades, spectrum) to this PNG.",
    ),
    output_option(
        "--show",
        is_flag=True,
        help="Only list the steps: units, times, costs and alternatives.",
    ),
    into="wanted",
    make=Wanted,
)
