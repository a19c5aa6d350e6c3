"""How forecasts are drawn: the same options wherever one is made."""

from collections.abc import Callable

import click


def drawing_options(command: Callable) -> Callable:
    for option in (
        click.option(
            "--seed",
            "random_seed",
            type=click.IntRange(0),
            default=0,
            show_default=True,
            help="Same seed, same bytes.",
        ),
        click.option(
            "--top-p",
            type=click.FloatRange(0, 1, min_open=True),
            default=1.0,
            show_default=True,
            help="Draw only from the likeliest choices that together make up this probability.",
        ),
        click.option(
            "--temperature",
            type=click.FloatRange(0),
            default=1.0,
            show_default=True,
            help="0: always the likeliest.",
        ),
    ):
        command = option(command)
    return command
