"""demiurge db: build, inspect, maintain, export and import descriptor databases."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from db.names import EXPORT_FORMATS
from demiurge.cli.db_bands import describe_kept
from demiurge.cli.db_build import build, echo_grouped
from demiurge.cli.db_upkeep import compact, remove, verify
from demiurge.cli.options.command import Group, command
from demiurge.cli.options.output import (
    check_output,
    database_argument,
    force_option,
    json_option,
    root_option,
)
from demiurge.cli.options.paths import ANY_PATH, FILE_PATH
from demiurge.cli.terminal import counted, echo_json, echo_line, echo_table

if TYPE_CHECKING:
    from db.database import Database
    from db.model_descriptor import ModelDescriptor
    from files.roots import Folder


@click.group(cls=Group)
def db() -> None:
    """Build, inspect and maintain descriptor databases."""


@command(examples=("demiurge db info my.db", "demiurge db info my.db --json"))
@database_argument
@root_option
@json_option
def info(database: Path, root: Folder | None, as_json: bool) -> None:
    """Show what DB holds and how it was analysed."""
    from db.database import Database

    opened = Database(database, root=root)
    facts = database_facts(database, opened)
    if as_json:
        echo_json({**facts, "source_paths": [source.path for source in opened.sources]})
        return
    echo_table(str(database), ["what", "value"], info_rows(opened, facts))
    echo_grouped("failed", list(facts["failed"].items()))
    echo_grouped("warning", list(facts["warnings"].items()))


def database_facts(folder: Path, opened: Database) -> dict[str, Any]:
    """Return facts about the content of a database."""
    from db.band_upkeep import kept_bands

    n_samples = sum(source.n_samples for source in opened.sources)
    paths = [source.path for source in opened.sources]
    return {
        "database": str(folder),
        "id": opened.id,
        "root": str(opened.root),
        "sources": len(paths),
        "units": opened.n_units,
        "seconds": n_samples / opened.sample_rate,
        "bytes": sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()),
        "settings": opened.settings.to_dict(),
        "descriptors": list(opened.settings.names),
        "bands": kept_bands(opened)._asdict(),
        "missing": opened.roots.find_missing(paths),
        "tags": tag_counts(opened),
        "failed": {failure.path: failure.error for failure in opened.failures},
        "warnings": opened.warnings,
    }


def info_rows(opened: Database, facts: dict[str, Any]) -> list[list[str]]:
    """Return the facts as rows of a table for people."""
    settings = opened.settings
    there = (
        "" if not opened.roots.missing() else " (does not exist; name its new place with --root)"
    )
    lengths = opened.units.n_samples
    longest = f" of {lengths.min()} to {lengths.max()} samples" if len(lengths) else ""
    problems = f"{len(facts['failed'])} failed, {len(facts['missing'])} not in the folder"
    if facts["warnings"]:
        problems += f", {len(facts['warnings'])} with a warning"
    tags = ", ".join(f"{tag} ({count})" for tag, count in facts["tags"].items())
    units = f"{opened.n_units} ({settings.units}){longest} at {settings.sample_rate} Hz"
    return [
        ["corpus folder", f"{opened.root}{there}"],
        ["sources", f"{facts['sources']} ({problems})"],
        ["duration", f"{facts['seconds'] / 3600:.2f} h"],
        ["units", units],
        ["descriptors", f"{settings.n_descriptors}: {', '.join(settings.descriptors)}"],
        *([model.kind, _model_text(model)] for model in settings.models),
        ["bands", describe_kept(facts["bands"])],
        ["frames", f"every {settings.hop_length} samples, windows of {settings.n_fft}"],
        ["tags", tags or "none"],
        ["size on disk", f"{facts['bytes'] / 1e6:.1f} MB"],
        ["id", opened.id],
    ]


def _model_text(model: ModelDescriptor) -> str:
    """Return what people want to know of a model whose numbers are descriptors."""
    return (
        f"{model.name}: {model.n_columns} columns, hash {model.hash}, licence of its weights"
        f" {model.licence}; at {model.path}"
    )


def tag_counts(database: Database) -> dict[str, int]:
    """Return how many sources have each tag."""
    counts = Counter(tag for tags in database.tags.values() for tag in tags)
    return dict(sorted(counts.items()))


@command(
    examples=(
        "demiurge db tag my.db 'drums/*' drums loud",
        "demiurge db tag my.db 'drums/quiet*' loud --remove",
    )
)
@database_argument
@click.argument("pattern")
@click.argument("tags", metavar="TAG…", nargs=-1, required=True)
@click.option("--remove", is_flag=True, help="Remove the tags.")
@json_option
def tag(database: Path, pattern: str, tags: tuple[str, ...], remove: bool, as_json: bool) -> None:
    """Tag the sources of DB that match PATTERN.

    A pattern is a path as DB has it, whatever letters it contains; in any other text *, ? and [abc]
    stand for any characters. The option --tag of other commands selects units by these tags.
    """
    from db.tags import tag_sources

    matched = tag_sources(database, pattern, list(tags), remove=remove)
    if as_json:
        echo_json(
            {"database": str(database), "tags": list(tags), "removed": remove, "sources": matched}
        )
        return
    done = "no longer tagged" if remove else "tagged"
    echo_line(f"{database}: {counted(len(matched), 'source')} {done} {', '.join(tags)}")


@command(
    examples=(
        "demiurge db export my.db table.csv --format csv",
        "demiurge db export my.db dataset.json --format flucoma",
    )
)
@database_argument
@click.argument("file", metavar="FILE", type=FILE_PATH)
@click.option(
    "--format",
    "format_name",
    type=click.Choice(EXPORT_FORMATS),
    required=True,
    help="Format of FILE.",
)
@force_option
@json_option
def export(database: Path, file: Path, format_name: str, force: bool, as_json: bool) -> None:
    """Write all units of DB to a file for another program.

    Each unit has its source, position and descriptors.
    """
    from db.database import Database
    from db.interchange import export_database

    check_output(file, force=force)
    n_units = export_database(Database(database), file, format=format_name)
    if as_json:
        echo_json({"file": str(file), "format": format_name, "units": n_units})
    else:
        echo_line(f"{file}: {counted(n_units, 'unit')} as {format_name}")


@command(
    "import",
    examples=(
        "demiurge db import table.npz new.db --root my_sounds",
        "demiurge db import old_demiurge.json my.db",
    ),
)
@click.argument("files", metavar="FILE…", nargs=-1, required=True, type=ANY_PATH)
@database_argument
@click.option(
    "--root",
    type=ANY_PATH,
    help="Folder of the audio; required for a new database.",
)
@json_option
def import_(files: tuple[Path, ...], database: Path, root: Path | None, as_json: bool) -> None:
    """Add descriptors from FILEs to DB.

    FILEs are what db export or the original Demiurge wrote: .json, .csv, .npz or .parquet.
    """
    from db.interchange import import_files

    names = import_files(list(files), database, root=root)
    if as_json:
        echo_json({"database": str(database), "sources": names})
    else:
        echo_line(f"{database}: {counted(len(names), 'source')} imported")


for part in (build, info, tag, remove, compact, verify, export, import_):
    db.add_command(part)
