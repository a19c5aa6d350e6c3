"""Options of demiurge live: where sound comes from and goes, and what controls the session."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from demiurge.cli.options.command import option, option_group
from demiurge.cli.options.file_request import check_seconds
from demiurge.cli.options.paths import ANY_PATH, FILE_PATH, AnyPath
from demiurge.cli.options.search import UNITS, make_search
from files.errors import ParameterError

if TYPE_CHECKING:
    from demiurge.live.knobs import Knobs
    from query.settings import SearchSettings

MODES = ("continue", "mosaic", "accompany", "free")
NONE = "none"
MOST_SECONDS = 86_400.0
sound_option = partial(option, heading="In and out")
control_option = partial(option, heading="Control")


class SoundType(click.ParamType):
    """An audio file, as a path, or the name or number of a device."""

    name = "sound"

    def __init__(self, path: AnyPath) -> None:
        self._path = path

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> str | Path:
        from audio.read import AUDIO_SUFFIXES

        if isinstance(value, Path) or value == NONE or value.isdigit():
            return value
        is_named_so = Path(value).suffix.lower() in AUDIO_SUFFIXES
        if is_named_so or "\0" in value or os.path.isfile(value):
            return self._path.convert(value, param, ctx)
        return value


@dataclass(frozen=True)
class Sound:
    """Where sound comes from and goes, and how long.

    Attributes
    ----------
    source, target : str or Path, optional
        Devices or files; None for the system's devices.
    seconds : float, optional
    """

    source: str | Path | None
    target: str | Path | None
    seconds: float | None

    @property
    def in_file(self) -> Path | None:
        """The input, if it is a file."""
        return self.source if isinstance(self.source, Path) else None

    @property
    def out_file(self) -> Path | None:
        """The output, if it is a file."""
        return self.target if isinstance(self.target, Path) else None

    def check(self, mode: str) -> None:
        """Check that input and output go together.

        Raises
        ------
        ParameterError
            If one is a file and the other is a device, or nothing says when to end.
        """
        has_input = self.has_input(mode)
        if not has_input and mode in ("mosaic", "accompany"):
            raise ParameterError(f"--mode {mode} goes with an input, but --in is {NONE}")
        if self.in_file is not None and self.out_file is None:
            raise ParameterError(
                f"--in {self.source} is a file, so that --out must be one (WAV, FLAC or OGG); play"
                " it with demiurge playback"
            )
        if self.out_file is not None and self.in_file is None and has_input:
            raise ParameterError(
                f"--out {self.target} is a file, so that --in must be one, or {NONE} with --mode"
                " free or continue"
            )
        if self.out_file is not None and self.in_file is None and self.seconds is None:
            raise ParameterError("without an input, --seconds must say how long to play")

    def has_input(self, mode: str) -> bool:
        """Return whether anything is heard."""
        return self.source != NONE and (self.source is not None or mode != "free")


@dataclass(frozen=True)
class Control:
    """What controls a session.

    Attributes
    ----------
    turned : tuple of str
        Knobs as NAME=NUMBER.
    scenes : Path, optional
    osc : int, optional
    midi : str, optional
    page : bool
    host : str
    token : str, optional
    """

    turned: tuple[str, ...]
    scenes: Path | None
    osc: int | None
    midi: str | None
    page: bool
    host: str
    token: str | None

    def check(self, *, to_file: bool) -> None:
        """Check that what controls a session while it plays goes with devices.

        Raises
        ------
        ParameterError
            If the output is a file, which is written faster than anybody can play.
        """
        asked = {"--osc": self.osc, "--midi": self.midi, "--page": self.page or None}
        given = [name for name, value in asked.items() if value is not None]
        if to_file and given:
            raise ParameterError(f"{given[0]} controls a session that plays through devices")

    def knobs(self, mode: str, search: SearchSettings) -> Knobs:
        """Return the knobs at the beginning.

        Raises
        ------
        ParameterError
            If there is no such knob, or a value is out of its range.
        """
        from demiurge.live.knobs import Knobs

        knobs = Knobs(mode=mode, filters=search.filters, weights=search.weights)
        for text in self.turned:
            name, equals, value = text.partition("=")
            try:
                number = float(value)
            except ValueError:
                equals = ""
            if not equals:
                raise ParameterError(f"--knob {text} must be NAME=NUMBER, such as continuity=0.5")
            knobs = knobs.turned(name.strip(), number)
        return knobs


def make_live_search(**values: Any) -> SearchSettings:
    """Return the filters, weights and metric of a session as `SearchSettings`."""
    return make_search(**values, continuity=0.0, novelty=0.0, min_reuse=0.0, max_run=math.inf)


live_search = option_group(*UNITS, into="search", make=make_live_search)
sound_options = option_group(
    sound_option(
        "--in",
        "source",
        type=SoundType(ANY_PATH),
        metavar="DEVICE|FILE",
        help=f"Input: number or part of the name of a device, a file, or {NONE}. [default: the"
        f" system's device; {NONE} for free]",
    ),
    sound_option(
        "--out",
        "target",
        type=SoundType(FILE_PATH),
        metavar="DEVICE|FILE",
        help="Output: number or part of the name of a device, or an audio file, which is written as"
        " fast as can be. [default: the system's device]",
    ),
    sound_option(
        "--seconds",
        type=click.FloatRange(0, MOST_SECONDS, min_open=True),
        callback=check_seconds,
        help="End after so long. [default: with files, when the input ends]",
    ),
    into="sound",
    make=Sound,
)
control_options = option_group(
    control_option(
        "--knob",
        "turned",
        multiple=True,
        metavar="NAME=NUMBER",
        help="Set a knob: continuity, novelty, temperature, min_reuse, max_run, follow_loudness,"
        " level, transpose, tempo, voices or freeze; repeatable.",
    ),
    control_option(
        "--scenes",
        type=FILE_PATH,
        help="JSON file of scenes, saved at the end; MIDI bindings lie beside it.",
    ),
    control_option("--osc", type=click.IntRange(1, 65535), metavar="PORT", help="Listen for OSC."),
    control_option("--midi", metavar="PORT", help="Listen to a MIDI port: part of its name."),
    control_option("--page", is_flag=True, help="Serve the page, with a view of the session."),
    control_option(
        "--host", default="127.0.0.1", show_default=True, help="Address of OSC and the page."
    ),
    control_option(
        "--token", help="Access token, 16 characters or more; needed if others can reach --host."
    ),
    into="control",
    make=Control,
)
