"""Options of a mosaic's voices: how many, and how their units are made to fit."""

from __future__ import annotations

from functools import partial

import click

from demiurge.cli.options.command import option
from query.names import AUTO, FOLLOWS, MOST_TRANSPOSE, MOST_VOICES, STRETCHES

voice_option = partial(option, heading="The voices")


class Semitones(click.ParamType):
    """A whole number of semitones, or auto."""

    name = "semitones"

    def convert(
        self, value: str | int, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | str:
        if value == AUTO:
            return AUTO
        if str(value) in map(str, range(MOST_TRANSPOSE + 1)):
            return int(value)
        self.fail(f"{value!r} must be 0 to {MOST_TRANSPOSE} semitones, or {AUTO}", param, ctx)


CONTINUATION_VOICES = voice_option(
    "--voices",
    type=click.IntRange(1, MOST_VOICES),
    default=1,
    show_default=True,
    help="Number of continuations that sound at once, each in harmony with those before; needs a"
    " database with chroma.",
)
VOICES = (
    voice_option(
        "--voices",
        type=click.IntRange(1, MOST_VOICES),
        default=1,
        show_default=True,
        help="Number of units that sound at once; their spectra together fit that of TARGET.",
    ),
    voice_option(
        "--transpose",
        type=Semitones(),
        default=0,
        show_default=True,
        metavar="SEMITONES",
        help="Transpose units to fit, by up to so many semitones; auto is as far as the pitches of"
        " TARGET need.",
    ),
    voice_option(
        "--follow",
        type=click.Choice(FOLLOWS),
        default="both",
        show_default=True,
        help="What of TARGET the voices follow: its pitch, its timbre, or both.",
    ),
    voice_option(
        "--stretch",
        type=click.Choice(STRETCHES),
        default="off",
        show_default=True,
        help="Stretch units to the lengths of their steps (auto), or play on and cut them; for"
        " units of onsets or beats.",
    ),
)
