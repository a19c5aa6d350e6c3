"""The databases of a command: DB, and more with --db, as one.

@click.argument("target", …)
@databases_options
def mosaic(target: Path, databases: Databases) -> None: …
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import click

from demiurge.cli.options.command import option, option_group
from demiurge.cli.options.paths import AnyPath
from files.progress import Progress, no_progress
from files.roots import split_named

if TYPE_CHECKING:
    from db.database import Database
    from demiurge.cli.options.roots import MovedRoot

DATABASES = "demiurge.databases"  # where other options find them
database_option = partial(option, heading="The databases")


@dataclass(frozen=True)
class Databases:
    """The databases that were asked for, as PATH or NAME=PATH.

    Attributes
    ----------
    specs : tuple of str
    normaliser : str, optional
    cluster : str, optional
        Address of the cluster that searches them.
    """

    specs: tuple[str, ...]
    normaliser: str | None = None
    cluster: str | None = None

    def __str__(self) -> str:
        return ", ".join(self.specs)

    def behind(self, first: Sequence[Path]) -> Self:
        """Return these databases, with others before them."""
        return replace(self, specs=(*map(str, first), *self.specs))

    def open(self, root: MovedRoot = None, progress: Progress = no_progress) -> Database:
        """Open them as one; raises as `demiurge.databases.open_databases` or `open_served`."""
        from demiurge.databases import open_databases, open_served

        if self.cluster is not None:
            served = open_served(self.cluster, self.specs, root=root, normaliser=self.normaliser)
            return click.get_current_context().with_resource(served)
        return open_databases(self.specs, root=root, normaliser=self.normaliser, progress=progress)


class DatabaseType(AnyPath):
    """PATH or NAME=PATH of a database, as text."""

    name = "database"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        text = str(value)
        _, path = split_named(text)
        super().convert(path, param, ctx)
        return text


DATABASE = click.argument("database", metavar="[DB]", required=False, type=DatabaseType())
MORE = database_option(
    "--db",
    "more",
    metavar="[NAME=]PATH",
    multiple=True,
    type=DatabaseType(),
    help="A database, besides DB or in its place; repeatable. Several are used as one, and are"
    " called by their file names, or NAME.",
)
NORMALISER = database_option(
    "--normaliser",
    metavar="NAME",
    help="Measure distances by the mean and deviation of this one of several databases."
    " [default: of all units of all]",
)


def databases_options(function: Callable) -> Callable:
    """Add DB, --db and --normaliser; the command gets `databases`.

    With --db, DB may be left out. A command's argument MODEL comes behind it.
    """

    @wraps(function)
    def with_databases(
        *args: Any,
        database: str | None,
        more: tuple[str, ...],
        normaliser: str | None,
        **kwargs: Any,
    ) -> Any:
        context = click.get_current_context()
        if is_model(database, more, kwargs):
            kwargs["model"] = Path(str(database))
            database = None
        specs = (*([] if database is None else [database]), *more)
        if not specs:
            raise click.UsageError("Missing argument 'DB'.")
        databases = Databases(specs, normaliser)
        context.meta[DATABASES] = databases
        return function(*args, databases=databases, **kwargs)

    for decorate in (NORMALISER, MORE, DATABASE):
        decorate(with_databases)
    return with_databases


def is_model(database: str | None, more: tuple[str, ...], given: dict[str, Any]) -> bool:
    """Return whether what stands in the place of DB is MODEL, since --db names the databases."""
    from db.manifest import FILE_NAME

    if not more or database is None or given.get("model", database) is not None:
        return False
    return not (Path(database) / FILE_NAME).exists()


def make_more(more: tuple[str, ...], normaliser: str | None) -> Databases:
    return Databases(more, normaliser)


more_databases_options = option_group(MORE, NORMALISER, into="more", make=make_more)
