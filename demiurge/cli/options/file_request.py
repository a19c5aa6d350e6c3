"""Options of synth generate that say what a flow makes its sound from."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from demiurge.cli.options.command import option, option_group
from demiurge.cli.options.paths import ANY_PATH
from demiurge.cli.options.weighted import split_weight

if TYPE_CHECKING:
    from synth.file_request import FileRequest

file_option = partial(option, heading="From sounds")
path_option = partial(file_option, metavar="FILE", type=ANY_PATH)


def make_request(
    continues: Path | None,
    fills: Path | None,
    from_seconds: float | None,
    to_seconds: float | None,
    like: tuple[str, ...],
    follows: Path | None,
    loop: bool,
) -> FileRequest:
    """Return a `FileRequest` from the command's options."""
    from synth.file_request import FileRequest

    span = None
    if from_seconds is not None and to_seconds is not None:
        span = (from_seconds, to_seconds)
    elif from_seconds is not None or to_seconds is not None:
        raise click.UsageError("--from and --to belong together: give both, in seconds")
    return FileRequest(
        continues=continues,
        fills=fills,
        span=span,
        follows=follows,
        like=tuple(weighted(text) for text in like),
        loop=loop,
    )


def weighted(text: str) -> tuple[Path, float]:
    """Return the file and the weight of FILE or FILE=WEIGHT; a file's own name comes first."""
    name, weight = split_weight(text)
    return Path(name), weight


def check_seconds(
    _: click.Context, parameter: click.Parameter, value: float | None
) -> float | None:
    """Refuse NaN and infinity, which are floats to click."""
    if value is not None and not math.isfinite(value):
        raise click.BadParameter(f"{value} is not a time in seconds", param=parameter)
    return value


seconds_option = partial(file_option, type=float, callback=check_seconds)
file_request_options = option_group(
    path_option(
        "--continue", "continues", help="Go on where FILE ends: each file made holds FILE as well."
    ),
    path_option("--fill", "fills", help="Make a span of FILE anew, between --from and --to."),
    seconds_option("--from", "from_seconds", help="Where the span of --fill begins, in seconds."),
    seconds_option("--to", "to_seconds", help="Where the span of --fill ends, in seconds."),
    file_option(
        "--like",
        metavar="FILE[=WEIGHT]",
        multiple=True,
        help="Make sound in the style of FILE. Given several times, a mix of their styles.",
    ),
    path_option(
        "--follow",
        "follows",
        help="Follow the loudness and the onsets of FILE; MusicGen-Melody plays its melody.",
    ),
    file_option("--loop", is_flag=True, help="Make loops, whose end leads into their beginning."),
    into="request",
    make=make_request,
)
