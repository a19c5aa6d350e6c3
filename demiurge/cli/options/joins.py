"""How units are joined and written: the same options wherever audio is made."""

from collections.abc import Callable
from typing import Any

import click

from audio.decibels import to_decibels

QUIET_PEAK = 0.05
FADES = ["matched", "equal-power", "linear"]


def render_option_group(command: Callable) -> Callable:
    """Seams, then the file. `playback` takes what is not given from the plan."""
    for option in reversed(
        (
            click.option(
                "--crossfade",
                "crossfade_ms",
                type=click.FloatRange(0, 10_000),
                help="Most milliseconds. [default: 60]",
            ),
            click.option(
                "--fade",
                type=click.Choice(FADES),
                help="Its shape. [default: matched to how alike the sounds are]",
            ),
            click.option(
                "--align",
                "align_ms",
                type=click.FloatRange(0, 1000),
                help=(
                    "Move it by up to so many milliseconds to where the sounds agree. [default: 5]"
                ),
            ),
            click.option(
                "--keep-attacks/--fade-attacks",
                "attacks",
                default=None,
                help="Whether it keeps off attacks. [default: it does]",
            ),
            click.option(
                "--match-level",
                "level_db",
                type=click.FloatRange(0, 60),
                help="Even out steps in level, in dB. [default: 12]",
            ),
            click.option(
                "--plain",
                is_flag=True,
                help="Fades only: 22 ms, equal-power, in the middle, whatever sounds.",
            ),
            click.option(
                "--bits",
                type=click.Choice(["16", "24", "float"]),
                help="[default: 24; 16 is dithered; OGG has none]",
            ),
            click.option(
                "--lufs",
                type=click.FloatRange(-70, 0),
                help="Bring the whole to this loudness, if its peaks allow.",
            ),
            click.option(
                "--true-peak",
                "true_peak_db",
                type=click.FloatRange(-60, 0),
                help=(
                    "Lower the whole so that no peak, even between samples, passes this, in dB."
                    " [default with --lufs: -1]"
                ),
            ),
        )
    ):
        command = option(command)
    return command


def take_render_options(options: dict[str, Any], plan_settings: dict[str, Any] | None = None):
    """Pop these options; what is not given is as the plan says, or as usual.

    Raises
    ------
    PlanError
        If the plan's settings are wrong.
    """
    from dataclasses import replace

    from playback.options import CrossfadeOptions, OutputOptions, RenderOptions

    names = ("crossfade_ms", "fade", "align_ms", "attacks", "level_db")
    given = {name: value for name in names if (value := options.pop(name)) is not None}
    usual = (
        CrossfadeOptions.plain(22.0)
        if options.pop("plain")
        else CrossfadeOptions.of(plan_settings or {})
    )
    output = OutputOptions(*(options.pop(name) for name in ("bits", "lufs", "true_peak_db")))
    return RenderOptions(replace(usual, **given), output)


def level_notes(summary, lufs: float | None = None) -> list[str]:
    """What became of the level, for people; `lufs` is what was asked for."""
    if summary.lufs is None:
        notes = (
            [f"lowered by {-summary.gain_db:.1f} dB to stay below full scale"]
            if summary.gain_db
            else []
        )
        if 0 < summary.peak < QUIET_PEAK:
            notes.append(
                f"quiet: no sample is above {to_decibels(summary.peak):.0f} dB; --lufs -16 makes it"
                " louder"
            )
        return (
            notes if lufs is None else [*notes, "no loudness can be measured: it is left as it is"]
        )
    notes = [
        f"{summary.lufs:.1f} LUFS, true peak {summary.true_peak_db:.1f} dB, changed by"
        f" {summary.gain_db:+.1f} dB"
    ]
    if lufs is not None and summary.lufs < lufs - 0.05:
        notes.append(
            f"{lufs:g} LUFS would need a limiter: the true peak allows no more; it may be higher"
            " with --true-peak, 0 at most"
        )
    return notes
