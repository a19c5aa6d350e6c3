"""The option that says where the folders of a corpus are now."""

from collections.abc import Mapping
from typing import Any

import click

from demiurge.cli.options.paths import CorpusFolder
from files.roots import Folder, split_named

MovedRoot = Folder | Mapping[str, Folder] | None


class RootType(CorpusFolder):
    """FOLDER, or NAME=FOLDER of one of several databases, as (name, folder)."""

    name = "root"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, tuple):
            return value
        name, folder = split_named(str(value))
        return name, super().convert(folder, param, ctx)


def settle_root(
    _: click.Context, parameter: click.Parameter, given: tuple[tuple[str, Folder], ...]
) -> MovedRoot:
    """Return one folder, or folders by the names of databases."""
    folders = dict(given)
    if len(folders) < len(given):
        raise click.BadParameter("each database has one folder", param=parameter)
    if "" not in folders:
        return folders or None
    if len(folders) > 1:
        raise click.BadParameter(
            "FOLDER is of one database, NAME=FOLDER of one of several", param=parameter
        )
    return folders[""]


roots_option = click.option(
    "--root",
    type=RootType(),
    multiple=True,
    callback=settle_root,
    metavar="[NAME=]FOLDER",
    help="Folder of the corpus, if it has moved; of several databases NAME=FOLDER, repeatable.",
)
