"""demiurge query serve, status, stop: a corpus on a Ray cluster."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import click

from demiurge.cli.options.command import command
from demiurge.cli.options.databases import NORMALISER, DatabaseType
from demiurge.cli.options.output import json_option
from demiurge.cli.terminal import counted, echo_json, echo_line, echo_table, progress_bar
from query.names import AUTO, INDEX_KINDS

if TYPE_CHECKING:
    from query.cluster.serve import Service

databases_argument = partial(
    click.argument, "databases", nargs=-1, metavar="DB…", type=DatabaseType()
)
cluster_option = click.option(
    "--cluster",
    "address",
    metavar="ADDRESS",
    required=True,
    help="Address of the Ray cluster, HOST:PORT; auto finds this machine's.",
)
NODE_COLUMNS = ["node", "shards", "units", "memory", "of", "GPUs"]
ACTOR_COLUMNS = [
    "shard",
    "node",
    "units",
    "memory",
    "stated",
    "searches",
    "a second",
    "p50",
    "p99",
    "state",
]


@command(
    examples=(
        "demiurge query serve my.db --cluster auto",
        "demiurge query serve drums.db strings.db --cluster 192.168.0.10:6379 --replicas 2",
    )
)
@databases_argument(required=True)
@cluster_option
@click.option(
    "--shards",
    "n_shards",
    type=click.IntRange(1),
    help="Number of parts that DB is divided into, each on one node. [default: one for each node,"
    " more if they would not fit]",
)
@click.option(
    "--replicas",
    "n_replicas",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Number of nodes that hold each part; with 2, one may be lost.",
)
@click.option(
    "--index",
    "kind",
    type=click.Choice([AUTO, *INDEX_KINDS]),
    default=AUTO,
    show_default=True,
    help="Index of each part, as of demiurge query; it says how much memory is stated.",
)
@NORMALISER
@json_option
def serve(
    databases: tuple[str, ...],
    address: str,
    n_shards: int | None,
    n_replicas: int,
    kind: str,
    normaliser: str | None,
    as_json: bool,
) -> None:
    """Open DB on the nodes of a Ray cluster, to be searched there.

    Several DB are served as one. Each node needs them at the same paths. Serve again after DB has
    changed: queries that are running go on as they began, those that begin later see the change.
    """
    from demiurge.databases import name_databases
    from files.ray_cluster import connect
    from query.cluster.corpus import words_of
    from query.cluster.nodes import database_ids
    from query.cluster.serve import plan_service, start_service
    from query.cluster.status import cluster_status

    specs = list(name_databases(databases).items())
    database_ids(specs)  # raises an error before a cluster is looked for
    with connect(address, purpose="query serve") as ray:
        service = plan_service(
            ray,
            specs,
            normaliser_name=normaliser,
            n_shards=n_shards,
            n_replicas=n_replicas,
            kind=kind,
        )
        if not as_json:
            echo_plan(service)
        with progress_bar("opening shards", quiet=as_json) as progress:
            generation = start_service(ray, service, progress=progress)
        if as_json:
            served = cluster_status(ray)
            echo_json(next(one for one in served if one["generation"] == generation.number))
            return
    echo_line(
        f"{service.corpus} is served, {counted(len(service.corpus.shards), 'shard')} by"
        f" {counted(len(generation.replicas), 'actor')}; search with: demiurge query SEED"
        f" {words_of(service.corpus.specs, ' --db ')} --cluster {address}"
    )


def echo_plan(service: Service) -> None:
    """Print which node will get which shards, and their memory."""
    from query.cluster.nodes import gigabytes

    rows = []
    for node in service.nodes:
        here = [one for one in service.placements if one.node == node]
        if node.problem:
            echo_line(f"node {node.name} gets no shard: {node.problem}", err=True)
            continue
        rows.append(
            [
                node.name,
                ", ".join(str(one.shard.number) for one in here),
                str(sum(one.shard.n_units for one in here)),
                gigabytes(sum(one.n_bytes for one in here)),
                gigabytes(node.n_bytes),
                str(sum(one.n_gpus for one in here)),
            ]
        )
    echo_table(f"{service.corpus}: {service.corpus.n_units} units", NODE_COLUMNS, rows)


@command(
    examples=(
        "demiurge query status --cluster auto",
        "demiurge query status --cluster 192.168.0.10:6379 --json",
    )
)
@cluster_option
@json_option
def status(address: str, as_json: bool) -> None:
    """List what a cluster serves, with memory and times.

    p50 and p99 are the times that half and 99 of 100 searches of a shard stay below.
    """
    from files.ray_cluster import connect
    from query.cluster.status import cluster_status

    with connect(address, purpose="query status") as ray:
        served = cluster_status(ray)
    if as_json:
        echo_json({"cluster": address, "served": served})
        return
    if not served:
        echo_line(f"nothing is served on the cluster at {address}")
    for facts in served:
        former = "" if facts["newest"] else ", former: it ends with the queries that use it"
        title = f"{', '.join(facts['databases'].values())}: {facts['units']} units{former}"
        echo_table(title, ACTOR_COLUMNS, [actor_cells(one) for one in facts["actors"]])


def actor_cells(facts: dict[str, Any]) -> list[str]:
    """Return what the table tells of an actor."""
    from query.cluster.nodes import gigabytes

    memory = facts["memory_bytes"]
    searches = facts["calls"].get("search")
    counts = ["0", "", "", ""]
    if searches is not None:
        counts = [
            str(searches["count"]),
            f"{searches['per_second']:.1f}",
            f"{searches['p50_ms']:.1f} ms",
            f"{searches['p99_ms']:.1f} ms",
        ]
    return [
        str(facts["shard"]),
        facts["node"],
        str(facts["units"]),
        "" if memory is None else gigabytes(memory),
        gigabytes(facts["stated_bytes"]),
        *counts,
        actor_state(facts),
    ]


def actor_state(facts: dict[str, Any]) -> str:
    """Return what is the matter with an actor, or that it is fine."""
    if not facts["answers"]:
        return "does not answer"
    if not facts["is_open"]:
        return "starts"
    return "changed since; serve again" if facts["changed"] else "serves"


@command(
    examples=(
        "demiurge query stop my.db --cluster auto",
        "demiurge query stop --cluster 192.168.0.10:6379",
    )
)
@databases_argument()
@cluster_option
@json_option
def stop(databases: tuple[str, ...], address: str, as_json: bool) -> None:
    """End what a cluster serves of DB.

    Without DB, all that is served ends. Queries that are running end with an error.
    """
    from demiurge.databases import name_databases
    from files.errors import DemiurgeError
    from files.ray_cluster import connect
    from query.cluster.serve import stop_service

    specs = list(name_databases(databases).items())
    with connect(address, purpose="query stop") as ray:
        ended = stop_service(ray, specs or None)
    if specs and not ended:
        raise DemiurgeError(
            f"{', '.join(databases)} is not served on the cluster at {address}; see:"
            f" demiurge query status --cluster {address}"
        )
    if as_json:
        echo_json({"cluster": address, "ended": ended})
        return
    for corpus in ended:
        echo_line(f"{corpus} is not served any more")
    if not ended:
        echo_line(f"nothing was served on the cluster at {address}")
