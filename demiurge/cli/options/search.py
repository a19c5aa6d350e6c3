"""How units are looked for and chosen: the same options wherever they are."""

import math
from collections.abc import Callable
from typing import Any

import click

Command = Callable


def search_options(command: Command) -> Command:
    """Which units may be played, and how distances are measured."""
    for option in reversed(
        (
            click.option(
                "--source",
                "sources",
                multiple=True,
                metavar="GLOB",
                help="Only recordings whose path fits; several add up.",
            ),
            click.option(
                "--tag",
                "tags",
                multiple=True,
                metavar="TAG",
                help="Only recordings with this tag (db tag); several add up.",
            ),
            click.option(
                "--within",
                metavar="S:S",
                help="Only units that start in this part of their recording.",
            ),
            click.option("--length", metavar="MS:MS", help="Only units that last so long."),
            click.option(
                "--loudness",
                metavar="LUFS:LUFS",
                help="Only units this loud; the database must have loudness.",
            ),
            click.option(
                "--where",
                multiple=True,
                metavar="CONDITION",
                help=(
                    "Only units with, for example, centroid>1000 or mfcc0<=-200; of several all"
                    " must hold."
                ),
            ),
            click.option(
                "--weight",
                "weights",
                metavar="NAME=NUMBER,…",
                help=(
                    "How much descriptors count: mfcc0=0.3,chroma=2. [default: 1; a frame's Δ and"
                    " ΔΔ 0.5]"
                ),
            ),
            click.option(
                "--metric",
                default="l2",
                show_default=True,
                metavar="NAME",
                help=(
                    "How distance is measured: l2, cosine (level alone makes no difference), l1,"
                    " linf or lp:P."
                ),
            ),
            click.option(
                "--index",
                "kind",
                type=click.Choice(["auto", "flat", "ivf", "pq"]),
                default="auto",
                show_default=True,
                help=(
                    "flat compares every unit; ivf and pq only likely ones. auto: flat up to 500"
                    " 000 units."
                ),
            ),
        )
    ):
        command = option(command)
    return command


def path_options(command: Command) -> Command:
    """What a path should be like."""
    for option in reversed(
        (
            click.option(
                "--continuity",
                type=click.FloatRange(0),
                default=0.25,
                show_default=True,
                help=(
                    "Weight of the joins: 0 takes the nearest unit of every step, 1 makes long runs"
                    " of one recording."
                ),
            ),
            click.option(
                "--search",
                type=click.Choice(["viterbi", "beam", "greedy"]),
                default="viterbi",
                show_default=True,
                help="The best path, the best of 16 carried along, or the best unit at each step.",
            ),
            click.option(
                "--novelty",
                type=click.FloatRange(0),
                default=0.0,
                show_default=True,
                help="Cost of playing a unit again, for each doubling: 0 to about 5.",
            ),
            click.option(
                "--min-reuse",
                type=click.FloatRange(0),
                default=0.0,
                show_default=True,
                metavar="SECONDS",
                help="No unit is played again within so long.",
            ),
            click.option(
                "--max-run",
                type=click.FloatRange(0, min_open=True),
                default=math.inf,
                metavar="SECONDS",
                help="No run of one recording lasts longer. [default: no limit]",
            ),
            click.option(
                "--rest-threshold",
                type=click.FloatRange(0, min_open=True),
                default=math.inf,
                metavar="DISTANCE",
                help="Rest where no unit is as near; query shows distances. [default: never]",
            ),
        )
    ):
        command = option(command)
    return command


def variation_options(command: Command) -> Command:
    """Other paths for the same target by chance. `render` draws its forecasts by chance instead."""
    for option in (
        click.option(
            "--seed",
            "path_seed",
            type=click.IntRange(0),
            default=0,
            show_default=True,
            help="Another seed, another variation.",
        ),
        click.option(
            "--temperature",
            "path_temperature",
            type=click.FloatRange(0),
            default=0.0,
            show_default=True,
            help=(
                "Random variation of the choice, alike all along a run: 0.1 changes most of it, 0.3"
                " is much."
            ),
        ),
    ):
        command = option(command)
    return command


def take_search(options: dict[str, Any]) -> dict[str, Any]:
    """Take what `search_options` gave out of `options`, as arguments of `query.index.UnitIndex`."""
    from query.filters import EVERYTHING, Filters, parse_condition, parse_range
    from query.weights import parse_weights

    ranges = {name: options.pop(name) for name in ("within", "length", "loudness")}
    within, length, loudness = (
        EVERYTHING if text is None else parse_range(text) for text in ranges.values()
    )
    filters = Filters(
        sources=options.pop("sources"),
        tags=options.pop("tags"),
        seconds=within,
        milliseconds=length,
        loudness=loudness,
        where=tuple(parse_condition(text) for text in options.pop("where")),
    )
    weights = options.pop("weights")
    return {
        "filters": filters,
        "weights": {} if weights is None else parse_weights(weights),
        "metric": options.pop("metric"),
        "kind": options.pop("kind"),
    }


def take_path(options: dict[str, Any]):
    """Take what `path_options`, `variation_options` and -k gave out of `options`, as
    `query.options.PathOptions`.
    """
    from query.options import PathOptions

    names = ("k", "search", "continuity", "novelty", "min_reuse", "max_run", "rest_threshold")
    chance = {
        name: options.pop(f"path_{name}")
        for name in ("temperature", "seed")
        if f"path_{name}" in options
    }
    return PathOptions(**{name: options.pop(name) for name in names}, **chance)


def take_selection(options: dict[str, Any]):
    """Take everything that says what is selected out of `options`, as `query.settings.SearchSettings`."""
    from query.settings import SearchSettings

    return SearchSettings(
        path=take_path(options), variations=options.pop("variations"), **take_search(options)
    )
