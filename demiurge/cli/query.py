"""demiurge query: the nearest units of each step, and why a path plays which of them."""

from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from demiurge.cli.options.output import echo_json, echo_table, json_option, progress_bar
from demiurge.cli.options.search import (
    path_options,
    search_options,
    take_path,
    take_search,
    variation_options,
)

# what a person can take in; --json has all
SHOWN_STEPS = 20
SHOWN_UNITS = 10
SHOWN_EXPLAINED = 5
PATH_OPTIONS = (
    "continuity",
    "search",
    "novelty",
    "min_reuse",
    "max_run",
    "rest_threshold",
    "path_temperature",
    "path_seed",
)


@click.command(
    epilog=(
        "\b\nExamples:\n  demiurge query seed.wav my.db -k 10\n  demiurge query forecast.json my.db"
        " -k 3 --json\n  demiurge query seed.wav my.db -k 5 --explain --min-reuse 2"
    )
)
@click.argument("seed_file", metavar="SEED", type=click.Path(path_type=Path))
@click.argument("database", metavar="DB", type=click.Path(path_type=Path))
@click.option(
    "-k", type=click.IntRange(1), help="Units per step. [default: 10; with --explain 32, as mosaic]"
)
@click.option(
    "--steps",
    type=click.IntRange(1),
    help=f"Steps to look up. [default: {SHOWN_STEPS} in the table, all with --json]",
)
@search_options
@click.option(
    "--explain",
    "with_path",
    is_flag=True,
    help="Choose a path, as mosaic does, and say what spoke for and against.",
)
@path_options
@variation_options
@json_option
@click.pass_context
def query(
    context: click.Context,
    seed_file: Path,
    database: Path,
    k: int | None,
    steps: int | None,
    with_path: bool,
    as_json: bool,
    **options,
) -> None:
    """List the nearest units in DB of each step of SEED, an audio or a forecast file."""
    from db.database import Database
    from demiurge.pipeline import describe
    from query.filters import counts_text
    from query.index import UnitIndex
    from query.settings import SearchSettings

    given = [
        name
        for name in PATH_OPTIONS
        if context.get_parameter_source(name) == ParameterSource.COMMANDLINE
    ]
    if given and not with_path:
        raise click.UsageError(
            f"--{given[0].removeprefix('path_').replace('_', '-')} says which path is chosen; add"
            " --explain"
        )
    opened = Database(database)
    search = take_search(options)
    path = take_path({**options, "k": k})
    described = describe(seed_file, opened.settings)
    shown = min(
        steps or (len(described.sequence) if as_json else SHOWN_STEPS), len(described.sequence)
    )
    with progress_bar("looking", quiet=as_json) as progress:
        if with_path:
            index = SearchSettings(**search).index(opened, described.step_samples, progress)
            rows = explained_steps(
                index, described.sequence, described.step_samples, path, shown=shown
            )
        else:
            index = UnitIndex(opened, progress=progress, **search)
            k = min(SHOWN_UNITS, len(index)) if k is None else k
            rows = nearest_steps(
                index, described.sequence[:shown], described.step_samples[:shown], k
            )
    if as_json:
        facts = {
            "seed": str(seed_file),
            "database": str(database),
            "units": index.counts,
            "index": index.kind,
        }
        echo_json({**facts, "metric": str(index.metric), "steps": rows})
        return
    title = (
        f"{seed_file}: {shown} of {len(described.sequence)} steps, nearest of {len(index)} units"
    )
    echo_table(
        title,
        *table(
            rows,
            opened.sample_rate,
            with_path=with_path,
            most=SHOWN_EXPLAINED if with_path and k is None else k,
        ),
    )
    if len(index.counts) > 1:
        click.echo("units left by the filters: " + counts_text(index.counts))


def unit_facts(database, unit: int, distance: float) -> dict[str, Any]:
    position = int(database.positions(unit))
    return {
        "unit": unit,
        "source": database.sources[database.units.source[position]].path,
        "start_sample": int(database.units.start_sample[position]),
        "n_samples": int(database.units.n_samples[position]),
        "distance": round(distance, 6),
    }


def nearest_steps(index, sequence, step_samples, k: int) -> list[dict[str, Any]]:
    """The nearest units of each step."""
    matches = index.search(sequence, k=k)
    rows = []
    at = 0
    for units, distances, lasts in zip(
        matches.units.tolist(), matches.distances.tolist(), step_samples.tolist(), strict=True
    ):
        found = [
            unit_facts(index.database, unit, distance)
            for unit, distance in zip(units, distances, strict=True)
        ]
        rows.append({"at_sample": at, "candidates": found})
        at += lasts
    return rows


def explained_steps(index, sequence, step_samples, options, *, shown: int) -> list[dict[str, Any]]:
    """What a path plays at the first steps, and its candidates with their costs and what forbids
    them.
    """
    from query.explain import explain
    from query.path import REST, select_path

    path = select_path(index, sequence, options, step_samples=step_samples)
    explanation = explain(index, path, options)
    rows = []
    at = 0
    for part in range(int((path.steps < shown).sum())):
        found = [
            {
                **unit_facts(index.database, unit, distance),
                "join": round(join, 6),
                "removed": removed or None,
            }
            for unit, distance, join, removed in explanation.candidates(path, part)
        ]
        chosen = None
        if path.units[part] != REST:
            chosen = unit_facts(index.database, int(path.units[part]), float(path.distances[part]))
            chosen["n_samples"] = int(path.n_samples[part])  # as it is played
            chosen["join"] = round(float(path.joins[part]), 6)
        rows.append({"at_sample": at, "chosen": chosen, "candidates": found})
        at += int(path.n_samples[part])
    return rows


def table(
    steps: list[dict[str, Any]], sample_rate: int, *, with_path: bool, most: int | None
) -> tuple[list[str], list[list[str]]]:
    """Columns and cells for people: the `most` nearest, and the chosen unit among them (▶) or above
    them.
    """
    columns = ["at", "rank", "source", "start", "unit", "distance"] + (
        ["join", "played"] if with_path else []
    )
    rows = []
    for step in steps:
        ranked = [
            (str(rank), match) for rank, match in enumerate(step["candidates"][:most], start=1)
        ]
        chosen = step.get("chosen")
        if chosen and all(match["unit"] != chosen["unit"] for _, match in ranked):
            ranked.insert(0, ("", chosen))
        if with_path and not chosen:
            rows.append(
                [f"{step['at_sample'] / sample_rate:.3f} s", "", "(rest)", "", "", "", "", "▶"]
            )
        for line, (rank, match) in enumerate(ranked):
            cells = [
                "" if line else f"{step['at_sample'] / sample_rate:.3f} s",
                rank,
                match["source"],
            ]
            cells += [
                f"{match['start_sample'] / sample_rate:.3f} s",
                str(match["unit"]),
                f"{match['distance']:.3f}",
            ]
            if with_path:
                played = (
                    "▶"
                    if chosen and match["unit"] == chosen["unit"]
                    else match.get("removed") or ""
                )
                cells += [f"{match['join']:.3f}", played]
            rows.append(cells)
    return columns, rows
