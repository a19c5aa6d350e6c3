"""Options for sampling forecasts, shared by all commands that make one."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import click

from demiurge.cli.options.command import option, option_group
from demiurge.cli.options.output import random_seed_option
from demiurge.cli.options.paths import ANY_PATH

if TYPE_CHECKING:
    from sequencer.sampling import SamplingOptions

THE_FORECAST = "The forecast"
forecast_option = partial(option, heading=THE_FORECAST)


accompanied_option = forecast_option(
    "--with",
    "accompanied",
    type=ANY_PATH,
    metavar="FILE",
    help="Go with this track, which begins together with SEED; needs a MODEL trained with --with.",
)


def make_sampling(temperature: float, random_seed: int, top_p: float = 1.0) -> SamplingOptions:
    """Return `SamplingOptions` from the command's options."""
    from sequencer.sampling import SamplingOptions

    return SamplingOptions(temperature=temperature, top_p=top_p, random_seed=random_seed)


TEMPERATURE = forecast_option(
    "--temperature",
    type=click.FloatRange(0),
    default=1.0,
    show_default=True,
    help="Randomness of the forecast: 1 as learned, less is calmer, 0 takes the likeliest.",
)
sampling_options = option_group(
    TEMPERATURE,
    forecast_option(
        "--top-p",
        type=click.FloatRange(0, 1, min_open=True),
        default=1.0,
        show_default=True,
        help="Sample only from the likeliest choices that together have this probability.",
    ),
    random_seed_option(THE_FORECAST),
    into="sampling",
    make=make_sampling,
)
scoring_options = option_group(
    TEMPERATURE,
    random_seed_option(THE_FORECAST),
    into="sampling",
    make=make_sampling,
)
