"""Options of the joins and the audio file, shared by all commands that render a plan."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from audio.formats import BITS
from demiurge.cli.options.command import Decorator, option, option_group
from playback.options import FADES

if TYPE_CHECKING:
    from playback.options import RenderOptions

PLAIN_CROSSFADE_MS = 22.0
join_option = partial(option, heading="The joins")
file_option = partial(option, heading="The file")


def crossfade_option(default: str) -> Decorator:
    """Return the option for the length of crossfades."""
    return join_option(
        "--crossfade",
        "crossfade_ms",
        type=click.FloatRange(0, 10_000),
        help=f"Longest crossfade, in ms. [default: {default}]",
    )


SHAPE = (
    join_option(
        "--fade",
        type=click.Choice(FADES),
        help="Shape of the crossfades; matched depends on the correlation of the two sounds."
        " [default: the plan's]",
    ),
    join_option(
        "--align",
        "align_ms",
        type=click.FloatRange(0, 1000),
        help="Move a crossfade by up to this many ms to where the waveforms agree. [default:"
        " the plan's]",
    ),
    join_option(
        "--keep-attacks/--fade-attacks",
        "attacks",
        default=None,
        help="Keep crossfades away from attacks, or not. [default: the plan's]",
    ),
    join_option(
        "--match-level",
        "level_db",
        type=click.FloatRange(0, 60),
        help="Even out differences in level of up to this many dB. [default: the plan's]",
    ),
)
PLAIN = join_option(
    "--plain",
    is_flag=True,
    help=f"Use plain equal-power crossfades of {PLAIN_CROSSFADE_MS:g} ms, centred on the joins.",
)
DECODE = join_option(
    "--decode",
    metavar="CODEC",
    help="Sound the plan by this codec, whose decoder makes the joins: a folder, a RAVE file, or"
    " shipped. Crossfades are then of latents. [default: crossfades of audio]",
)
FILE = (
    file_option(
        "--bits",
        type=click.Choice(BITS),
        help="Sample format of WAV and FLAC; 16 bits are dithered. [default: 24]",
    ),
    file_option(
        "--lufs",
        type=click.FloatRange(-70, 0),
        help="Integrated loudness of the whole file, in LUFS, as far as its peaks allow.",
    ),
    file_option("--loop", is_flag=True, help="Make a loop, whose end leads into its beginning."),
)
TRUE_PEAK = file_option(
    "--true-peak",
    "true_peak_db",
    type=click.FloatRange(-60, 0),
    help="Highest true peak, in dB; the whole file is lowered to it. [default: -1 with --lufs]",
)


@dataclass(frozen=True)
class JoinsAndFile:
    """The options as given; None means as in the plan, or the default."""

    crossfade_ms: float | None
    plain: bool
    bits: str | None
    lufs: float | None
    loop: bool
    fade: str | None = None
    align_ms: float | None = None
    attacks: bool | None = None
    level_db: float | None = None
    true_peak_db: float | None = None
    decode: str | None = None

    def render_options(self, plan_settings: dict[str, Any]) -> RenderOptions:
        """Return `RenderOptions`, with the plan's settings for options that are not given.

        Raises
        ------
        PlanError
            If the plan's settings are wrong.
        CheckpointError, ParameterError
            If the codec cannot be opened.
        """
        from playback.options import CrossfadeOptions, OutputOptions, RenderOptions

        names = ("crossfade_ms", "fade", "align_ms", "attacks", "level_db")
        asked = {name: getattr(self, name) for name in names}
        if self.plain:
            crossfade = CrossfadeOptions.plain(PLAIN_CROSSFADE_MS)
        else:
            crossfade = CrossfadeOptions.of(plan_settings)
        given = {name: value for name, value in asked.items() if value is not None}
        output = OutputOptions(self.bits, self.lufs, self.true_peak_db, self.loop)
        decoder = None
        if self.decode is not None:
            from demiurge.decode_plan import open_decoder

            decoder = open_decoder(self.decode)
        return RenderOptions(replace(crossfade, **given), output, decoder)


def make_render_options(
    crossfade_ms: float | None,
    plain: bool,
    decode: str | None,
    bits: str | None,
    lufs: float | None,
    loop: bool,
) -> RenderOptions:
    """Return `RenderOptions` for a plan that is yet to be made."""
    return JoinsAndFile(crossfade_ms, plain, bits, lufs, loop, decode=decode).render_options({})


render_options = option_group(
    crossfade_option("60"), PLAIN, DECODE, *FILE, into="render_options", make=make_render_options
)
playback_options = option_group(
    crossfade_option("the plan's"),
    *SHAPE,
    PLAIN,
    DECODE,
    *FILE,
    TRUE_PEAK,
    into="asked",
    make=JoinsAndFile,
)
