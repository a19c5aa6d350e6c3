"""demiurge query: list the nearest units of each step, and explain the choice of a path."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from demiurge.cli.candidate_table import candidate_table
from demiurge.cli.options.cluster import cluster_option
from demiurge.cli.options.command import Option, command
from demiurge.cli.options.databases import databases_options
from demiurge.cli.options.output import json_option
from demiurge.cli.options.paths import ANY_PATH
from demiurge.cli.options.search import THE_PATH, query_domains, query_search, units_option
from demiurge.cli.query_cluster import serve, status, stop
from demiurge.cli.terminal import echo_json, echo_line, echo_table, progress_bar

if TYPE_CHECKING:
    from db.database import Database
    from demiurge.cli.options.databases import Databases
    from demiurge.domains import Domains
    from demiurge.sequences import DescriptorSequence
    from query.index import UnitIndex
    from query.options import PathOptions
    from query.settings import SearchSettings

# printed for people; --json prints all
SHOWN_STEPS = 20
SHOWN_UNITS = 10
SHOWN_EXPLAINED = 5


@command(
    examples=(
        "demiurge query seed.wav my.db -k 10",
        "demiurge query forecast.json my.db -k 3 --json",
        "demiurge query seed.wav my.db -k 5 --explain --min-reuse 2",
        "demiurge query seed.wav my.db --cluster auto",
    )
)
@click.argument("seed_file", metavar="SEED", type=ANY_PATH)
@databases_options
@cluster_option
@units_option(
    "-k",
    type=click.IntRange(1),
    help=f"Number of candidates at each step. [default: {SHOWN_UNITS}; with --explain 32]",
)
@query_search
@query_domains
@click.option(
    "--steps",
    type=click.IntRange(1),
    help=f"Number of steps to list. [default: {SHOWN_STEPS}, with --json all]",
)
@click.option(
    "--explain",
    "with_path",
    is_flag=True,
    help="Find a path, as mosaic does, and show the costs of each candidate.",
)
@json_option
@click.pass_context
def query(
    context: click.Context,
    seed_file: Path,
    databases: Databases,
    k: int | None,
    search: SearchSettings,
    domains: Domains,
    steps: int | None,
    with_path: bool,
    as_json: bool,
) -> None:
    """List the units of DB nearest to each step of SEED.

    SEED is an audio or a forecast file.
    """
    from demiurge.domains import settle
    from demiurge.sequences import describe

    check_path_options(context, with_path=with_path)
    opened = databases.open()
    described = describe(seed_file, opened.settings)
    n_steps = len(described.descriptors)
    shown = min(steps or (n_steps if as_json else SHOWN_STEPS), n_steps)
    with progress_bar("searching", quiet=as_json) as progress:
        if with_path:
            index = search.index(opened, described.step_samples, progress)
            settled = settle(domains, index, described, replace(search.path, k=k))
            rows = explained_steps(index, settled.sequence, settled.path, shown=shown)
        else:
            index = search.index_of(opened, progress=progress)
            k = min(SHOWN_UNITS, len(index)) if k is None else k
            rows = nearest_steps(index, described, k, shown=shown)
    if as_json:
        facts = {"seed": str(seed_file), "database": str(databases), **normaliser_facts(opened)}
        echo_json({**facts, **index_facts(index), "steps": rows})
        return
    most = SHOWN_EXPLAINED if with_path and k is None else k
    columns, cells = candidate_table(rows, opened.sample_rate, with_path=with_path, most=most)
    title = f"{seed_file}: {shown} of {n_steps} steps, nearest of {len(index)} units"
    echo_table(title, columns, cells)
    echo_counts(index.counts)
    if normaliser := normaliser_facts(opened).get("normaliser"):
        echo_line(f"distances are normalised by the units of {normaliser}")


def normaliser_facts(database: Database) -> dict[str, Any]:
    """Return which units distances are normalised by, of several databases; nothing of one."""
    from demiurge.plans.settings import normaliser_of

    return {"normaliser": normaliser_of(database)} if database.names else {}


for own_command in (serve, status, stop):
    query.add_command(own_command)


def index_facts(index: UnitIndex) -> dict[str, Any]:
    """Return the facts that --json prints about a search."""
    return {"units": index.counts, "index": index.kind, "metric": str(index.space.metric)}


def check_path_options(context: click.Context, *, with_path: bool) -> None:
    """Refuse options of a path if no path is searched.

    Raises
    ------
    click.UsageError
    """
    for parameter in context.command.params:
        is_of_path = isinstance(parameter, Option) and parameter.heading == THE_PATH
        source = context.get_parameter_source(str(parameter.name))
        if is_of_path and source is ParameterSource.COMMANDLINE and not with_path:
            raise click.UsageError(f"{parameter.opts[0]} says how to find a path; add --explain")


def unit_facts(database: Database, position: int, distance: float) -> dict[str, Any]:
    """Return the facts listed about the unit at a position in `database.units`."""
    return {
        "unit": database.stored_id(position),
        "source": database.sources[database.units.source[position]].path,
        "start_sample": int(database.units.start_sample[position]),
        "n_samples": int(database.units.n_samples[position]),
        "distance": round(distance, 6),
    }


def nearest_steps(
    index: UnitIndex, described: DescriptorSequence, k: int, *, shown: int
) -> list[dict[str, Any]]:
    """Return the nearest units of each of the first steps."""
    matches = index.search(described.descriptors[:shown], k=k)
    rows = []
    at = 0
    for step in range(shown):
        found = zip(matches.positions[step].tolist(), matches.distances[step].tolist(), strict=True)
        candidates = [unit_facts(index.database, *match) for match in found]
        rows.append({"at_sample": at, "candidates": candidates})
        at += int(described.step_samples[step])
    return rows


def explained_steps(
    index: UnitIndex, described: DescriptorSequence, options: PathOptions, *, shown: int
) -> list[dict[str, Any]]:
    """Return the first steps of a path, with their units, candidates and costs."""
    from query.explain import explain
    from query.path import find_path

    path = find_path(index, described.descriptors, options, step_samples=described.step_samples)
    explanation = explain(index.space, path)
    rows = []
    at = 0
    for part in range(int((path.steps < shown).sum())):
        candidates = [
            {
                **unit_facts(index.database, position, distance),
                "join": round(join, 6),
                "removed": removed or None,
            }
            for position, distance, join, removed in explanation.candidates(path, part)
        ]
        chosen = chosen_facts(index, path, part)
        rows.append({"at_sample": at, "chosen": chosen, "candidates": candidates})
        at += int(path.n_samples[part])
    return rows


def chosen_facts(index: UnitIndex, path, part: int) -> dict[str, Any] | None:
    """Return the unit that a path plays, None where it rests."""
    from query.rules import REST

    position = int(path.positions[part])
    if position == REST:
        return None
    return {
        **unit_facts(index.database, position, float(path.distances[part])),
        "n_samples": int(path.n_samples[part]),  # as played
        "join": round(float(path.joins[part]), 6),
    }


def echo_counts(counts: dict[str, int]) -> None:
    """Print how many units each filter leaves, if there are filters."""
    from query.left_units import counts_text

    if len(counts) > 1:
        echo_line("units left by the filters: " + counts_text(counts))
