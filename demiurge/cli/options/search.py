"""Options of a search: which units may be played, distances, and the path."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

import click

from demiurge.cli.options.command import option, option_group
from demiurge.cli.options.databases import DATABASES
from demiurge.cli.options.output import random_seed_option
from demiurge.cli.options.voices import CONTINUATION_VOICES, VOICES
from demiurge.cli.options.weighted import split_weight
from query.names import (
    AUTO,
    CONTINUITY,
    INDEX_KINDS,
    LEVELS,
    MAX_RUN,
    METRICS,
    NOVELTY,
    OWN_NOVELTY,
    RANGES,
)

if TYPE_CHECKING:
    from demiurge.domains import Domains
    from query.settings import SearchSettings

THE_PATH = "The path"
units_option = partial(option, heading="Which units")
path_option = partial(option, heading=THE_PATH)


UNITS = (
    units_option(
        "--source",
        "sources",
        multiple=True,
        metavar="GLOB",
        help="Use only sources whose path matches, or with '!GLOB' all others; repeatable, any may"
        " match.",
    ),
    units_option(
        "--tag",
        "tags",
        multiple=True,
        metavar="TAG",
        help="Use only sources with this tag (see demiurge db tag); repeatable, any may match.",
    ),
    units_option(
        "--where",
        multiple=True,
        metavar="CONDITION",
        help="Use only units with, for example, centroid>1000 (any descriptor), start_s<2 or"
        " length_ms>=100; repeatable, all must be true.",
    ),
    units_option(
        "--like",
        metavar="TEXT|FILE[=WEIGHT]",
        multiple=True,
        help="Use only the fifth of the units that sounds most like a text or a sound, or what"
        " --where 'like>0.3' says; repeatable, their mean counts. Needs a database with clap:DIR.",
    ),
    units_option(
        "--weight",
        "weights",
        metavar="NAME=NUMBER,…",
        help="Weights of descriptors in distances, for example mfcc0=0.3,chroma=2. [default: 1; 0.5"
        " for Δ and ΔΔ of frames]",
    ),
    units_option(
        "--metric",
        default="l2",
        show_default=True,
        metavar="NAME",
        help=f"Distance between descriptors: {', '.join(METRICS)} (P from 1 to 10); cosine ignores"
        " level.",
    ),
)
INDEX = units_option(
    "--index",
    "kind",
    type=click.Choice([AUTO, *INDEX_KINDS]),
    default=AUTO,
    show_default=True,
    help="Index of the units: flat compares all of them, ivf and pq only likely ones; auto is flat"
    " up to 500 000 units.",
)
K = units_option(
    "-k",
    type=click.IntRange(1),
    help="Number of candidates at each step; for voices 64. [default: 32]",
)
VARIATIONS = path_option(
    "--variations",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Number of different paths, each written as OUT-1.wav, OUT-2.wav, … with its plan.",
)
CONTINUITY_HELP = (
    "Weight of the joins: 0 takes the nearest unit at every step, 1 makes long runs of one source."
)
NOVELTY_HELP = "Cost of reusing a unit, for each doubling of its uses: 0 to about 5."
MAX_RUN_HELP = "Longest run of one source, in seconds."
MIN_REUSE = path_option(
    "--min-reuse",
    type=click.FloatRange(0),
    default=0.0,
    show_default=True,
    metavar="SECONDS",
    help="Least time before a unit is played again, in seconds.",
)
PATH = (
    path_option(
        "--continuity",
        type=click.FloatRange(0),
        default=0.25,
        show_default=True,
        help=CONTINUITY_HELP,
    ),
    path_option(
        "--novelty",
        type=click.FloatRange(0),
        help=f"{NOVELTY_HELP} [default: 0; {OWN_NOVELTY} if the range is own]",
    ),
    MIN_REUSE,
    path_option(
        "--max-run",
        type=click.FloatRange(0, min_open=True),
        default=math.inf,
        metavar="SECONDS",
        help=f"{MAX_RUN_HELP} [default: no limit]",
    ),
    path_option(
        "--rest-threshold",
        type=click.FloatRange(0, min_open=True),
        default=math.inf,
        metavar="DISTANCE",
        help="Leave silence where even the nearest unit is farther than this distance; demiurge"
        " query shows distances. [default: never]",
    ),
)
CONTINUATION_PATH = (
    path_option(
        "--continuity",
        type=click.FloatRange(0),
        default=CONTINUITY,
        show_default=True,
        help="Weight of the joins against the forecast: 0 joins anything, 1 joins only what fits.",
    ),
    path_option(
        "--novelty", type=click.FloatRange(0), default=NOVELTY, show_default=True, help=NOVELTY_HELP
    ),
    MIN_REUSE,
    path_option(
        "--max-run",
        type=click.FloatRange(0, min_open=True),
        default=MAX_RUN,
        show_default=True,
        metavar="SECONDS",
        help=MAX_RUN_HELP,
    ),
)
RANGE = path_option(
    "--range",
    "range_",
    type=click.Choice([*RANGES, AUTO]),
    default=AUTO,
    show_default=True,
    help="Bring TARGET to the range of the corpus (own), or compare it as it is (shared); auto is"
    " own if it lies far from all units.",
)
LEVEL = path_option(
    "--level",
    type=click.Choice([*LEVELS, AUTO]),
    default=AUTO,
    show_default=True,
    help="Play units at the level of TARGET (follow), 24 dB louder at most, or at their own; auto"
    " is follow if the range is own.",
)
CHANCE = (
    path_option(
        "--path-temperature",
        type=click.FloatRange(0),
        default=0.0,
        show_default=True,
        help="Random variation of the path: 0.1 changes most of it, 0.3 is a lot.",
    ),
    random_seed_option(THE_PATH),
)


def make_search(
    *,
    sources: tuple[str, ...],
    tags: tuple[str, ...],
    where: tuple[str, ...],
    like: tuple[str, ...],
    weights: str | None,
    metric: str,
    continuity: float,
    novelty: float | None,
    min_reuse: float,
    max_run: float,
    rest_threshold: float = math.inf,
    k: int | None = None,
    kind: str = AUTO,
    variations: int = 1,
    path_temperature: float = 0.0,
    random_seed: int = 0,
    voices: int = 1,
    transpose: int | str = 0,
    follow: str = "both",
    stretch: str = "off",
) -> SearchSettings:
    """Return `SearchSettings` from the command's options."""
    from query.filters import Filters, parse_condition
    from query.options import PathOptions
    from query.settings import SearchSettings
    from query.voices.options import VoiceOptions
    from query.weights import parse_weights

    liked = None
    if like:
        from demiurge.likeness import make_likeness

        database = click.get_current_context().meta[DATABASES].open()
        liked = make_likeness(tuple(map(split_weight, like)), database)
    conditions = tuple(parse_condition(text) for text in where)
    path = PathOptions(
        k=k,
        continuity=continuity,
        novelty=novelty or 0.0,
        min_reuse=min_reuse,
        max_run=max_run,
        rest_threshold=rest_threshold,
        temperature=path_temperature,
        random_seed=random_seed,
    )
    return SearchSettings(
        path=path,
        variations=variations,
        filters=Filters(sources=sources, tags=tags, where=conditions, like=liked),
        weights={} if weights is None else parse_weights(weights),
        metric=metric,
        kind=kind,
        voices=VoiceOptions(voices, transpose, follow),
        stretch=stretch,
    )


def make_domains(range_: str, level: str = AUTO) -> Domains:
    """Return `Domains` from the options of the command, whose --novelty counts if it was given."""
    from demiurge.domains import Domains

    given = click.get_current_context().params["novelty"]
    novelty = OWN_NOVELTY if given is None else None
    return Domains(range_, level, novelty)


# random numbers vary the forecast of `render`, but the path of `mosaic`
render_search = option_group(
    CONTINUATION_VOICES, *UNITS, *CONTINUATION_PATH, VARIATIONS, into="search", make=make_search
)
mosaic_search = option_group(
    *VOICES, *UNITS, K, *PATH, VARIATIONS, *CHANCE, into="search", make=make_search
)
query_search = option_group(*UNITS, INDEX, *PATH, *CHANCE, into="search", make=make_search)
mosaic_domains = option_group(RANGE, LEVEL, into="domains", make=make_domains)
query_domains = option_group(RANGE, into="domains", make=make_domains)
