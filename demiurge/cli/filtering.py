"""Which units may be played, and how distances are measured: the same options wherever units are looked for."""

from collections.abc import Callable
from typing import Any

import click


def filter_options(command: Callable) -> Callable:
    for option in reversed((
        click.option(
            "--source", "sources", multiple=True, metavar="GLOB", help="Only recordings whose path fits; several add up."
        ),
        click.option("--within", metavar="S:S", help="Only units that start in this part of their recording."),
        click.option("--length", metavar="MS:MS", help="Only units that last so long."),
        click.option(
            "--where", multiple=True, metavar="CONDITION",
            help="Only units with, for example, centroid>1000 or loudness>=-30; of several all must hold.",
        ),
        click.option(
            "--weight", "weights", metavar="NAME=NUMBER,…", help="How much descriptors count: mfcc0=0.3,chroma=2. [default: 1]"
        ),
    )):  # fmt: skip
        command = option(command)
    return command


def take_filters(options: dict[str, Any]):
    """Take what `filter_options` gave out of `options`, as `query.filters.Filters`."""
    from query.filters import EVERYTHING, Filters, parse_condition, parse_range

    seconds, milliseconds = options.pop("within"), options.pop("length")
    return Filters(
        sources=options.pop("sources"),
        seconds=parse_range(seconds) if seconds else EVERYTHING,
        milliseconds=parse_range(milliseconds) if milliseconds else EVERYTHING,
        where=tuple(parse_condition(text) for text in options.pop("where")),
    )


def take_weights(options: dict[str, Any]) -> dict[str, float]:
    """Take `--weight` out of `options`."""
    from query.weights import parse_weights

    text = options.pop("weights")
    return parse_weights(text) if text else {}
