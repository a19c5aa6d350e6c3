"""The option that lets a cluster search the databases."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from typing import Any

import click

from demiurge.cli.options.databases import DATABASES, database_option

CLUSTER = database_option(
    "--cluster",
    metavar="ADDRESS",
    help="Search on the Ray cluster at HOST:PORT, or on this machine's with auto, where demiurge"
    " query serve has opened the same databases. [default: search here]",
)


def cluster_option(function: Callable) -> Callable:
    """Add --cluster to a command, right below its `databases_options`."""

    @wraps(function)
    def with_cluster(*args: Any, cluster: str | None, **kwargs: Any) -> Any:
        databases = replace(kwargs.pop("databases"), cluster=cluster)
        click.get_current_context().meta[DATABASES] = databases
        return function(*args, databases=databases, **kwargs)

    CLUSTER(with_cluster)
    return with_cluster
