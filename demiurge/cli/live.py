"""demiurge live: play a corpus that answers what is played into it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import click

from demiurge.cli.options.command import command, option, option_group
from demiurge.cli.options.output import (
    force_option,
    json_option,
    random_seed_option,
    root_option,
)
from demiurge.cli.options.paths import ANY_PATH, FILE_PATH
from demiurge.cli.options.search import UNITS, make_search

if TYPE_CHECKING:
    from query.settings import SearchSettings

MODES = ("continue", "mosaic", "accompany", "free")
NONE = "none"
sound_option = partial(option, heading="In and out")
control_option = partial(option, heading="Control")
take_option = partial(option, heading="The take")


def make_live_search(**values: Any) -> SearchSettings:
    """Return the filters, weights and metric of a session as `SearchSettings`."""
    plain = {"continuity": 0.0, "novelty": 0.0, "min_reuse": 0.0, "max_run": float("inf")}
    return make_search(**values, **plain)


@command(
    examples=(
        "demiurge live my.db",
        "demiurge live my.db my.model --mode continue --osc 9000 --page",
        "demiurge live my.db --in voice.wav --out answer.wav",
        "demiurge live my.db --mode free --out free.wav --seconds 60 --knob temperature=0.5",
    )
)
@click.argument("database", metavar="DB", type=ANY_PATH)
@click.argument("model", required=False, type=ANY_PATH)
@click.option(
    "--mode",
    type=click.Choice(MODES),
    default="mosaic",
    show_default=True,
    help="continue goes on when the input ends or when told; mosaic follows the input unit by unit;"
    " accompany plays a line of its own beside it; free plays without it.",
)
@sound_option(
    "--in",
    "source",
    metavar="DEVICE|FILE",
    help=f"Input: part of the name or number of a device, a file, or {NONE}. [default: the system's"
    " device; none for free]",
)
@sound_option(
    "--out",
    "target",
    metavar="DEVICE|FILE",
    help="Output: part of the name or number of a device, or a WAV, FLAC or OGG file, which is"
    " written as fast as can be. [default: the system's device]",
)
@sound_option("--devices", is_flag=True, help="List the devices and MIDI ports, and end.")
@sound_option(
    "--seconds",
    type=click.FloatRange(0, min_open=True),
    help="End after so long. [default: with files, when the input ends]",
)
@control_option(
    "--knob",
    "turned",
    multiple=True,
    metavar="NAME=NUMBER",
    help="Set a knob: continuity, novelty, temperature, min_reuse, max_run, follow_loudness, level,"
    " transpose, tempo, voices or freeze; repeatable.",
)
@control_option(
    "--scenes", type=FILE_PATH, help="JSON file of scenes and MIDI bindings, saved at the end."
)
@control_option("--osc", type=click.IntRange(1, 65535), metavar="PORT", help="Listen for OSC.")
@control_option("--midi", metavar="PORT", help="Listen to a MIDI port: part of its name.")
@control_option("--page", is_flag=True, help="Serve the page, with a view of the session.")
@control_option(
    "--host", default="127.0.0.1", show_default=True, help="Address for OSC and the page."
)
@control_option(
    "--token", help="Access token, 16 characters or more, if --host is not this machine."
)
@option_group(*UNITS, into="search", make=make_live_search)
@take_option(
    "--plan",
    type=FILE_PATH,
    help="Plan of what was played. [default: beside the output file; else live.plan.json, numbered"
    " if it exists]",
)
@random_seed_option("The take")
@root_option
@force_option
@json_option
@click.pass_context
def live(context: click.Context, devices: bool, as_json: bool, **asked: Any) -> None:
    """Play DB live: it answers, follows or goes with what is played into it.

    MODEL is a forecaster, which chooses in the modes continue, accompany and free; without one,
    units go on in what sounds alike. What was played is a plan, saved as it grows.
    """
