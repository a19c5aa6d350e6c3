"""demiurge db: build a descriptor database, look at it, keep it in order, and carry it elsewhere."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import click

from demiurge.cli.options.output import (
    check_output,
    echo_json,
    echo_table,
    force_option,
    json_option,
    one_line,
    progress_bar,
)

database_argument = click.argument("database", metavar="DB", type=click.Path(path_type=Path))
root_option = click.option(
    "--root", type=click.Path(path_type=Path), help="Where the corpus is now, if it has moved."
)
SHOWN = 20  # names listed for people; --json has all


@click.group()
def db() -> None:
    """Build, inspect and maintain descriptor databases."""


@db.command(
    epilog=(
        "\b\nExamples:\n  demiurge db build my_sounds my.db\n  demiurge db build my_sounds my.db"
        " --prune --json\n  demiurge db build my_sounds events.db --units onset --descriptors"
        " mfcc,loudness"
    )
)
@click.argument("audio_dir", type=click.Path(path_type=Path))
@database_argument
@click.option("--prune", is_flag=True, help="Remove sources whose files have vanished.")
@click.option(
    "--moved",
    is_flag=True,
    help="The corpus is in AUDIO_DIR now, though its old folder still exists.",
)
@click.option(
    "--descriptors",
    metavar="NAMES",
    help="mfcc, spectral, chroma, loudness, joined by commas. [default: mfcc]",
)
@click.option("--units", metavar="KIND", help="frame, fixed:MS, onset or beat. [default: frame]")
@click.option(
    "--min-unit",
    "min_unit_ms",
    type=float,
    help="Onset and beat: shortest unit in ms. [default: 60]",
)
@click.option(
    "--max-unit",
    "max_unit_ms",
    type=float,
    help="Onset and beat: longest unit in ms. [default: 2000]",
)
@click.option(
    "--sample-rate", type=click.IntRange(1000, 768000), help="Analysis rate in Hz. [default: 44100]"
)
@click.option("--hop-length", type=click.IntRange(1), help="Samples per frame. [default: 1024]")
@click.option(
    "--window-centre",
    type=click.Choice(["span", "start"]),
    help=(
        "Centre the analysis window on the span that is played, or on its first sample as the"
        " original did. [default: span]"
    ),
)
@click.option(
    "--executor",
    type=click.Choice(["serial", "threads", "processes", "ray"]),
    help=(
        "Where files are analysed; the result is the same. [default: threads; processes for very"
        " much]"
    ),
)
@click.option("--jobs", type=click.IntRange(1), help="Workers. [default: one per processor]")
@click.option(
    "--address", help="Of a running Ray cluster, with --executor ray; auto finds this machine's."
)
@json_option
def build(
    audio_dir: Path,
    database: Path,
    prune: bool,
    moved: bool,
    executor: str | None,
    jobs: int | None,
    address: str | None,
    as_json: bool,
    **asked,
) -> None:
    """Analyse the audio under AUDIO_DIR into the database DB.

    New files are added, changed ones analysed again, renamed ones recognised, unchanged ones
    skipped. A bad file is named and the rest is kept. Interrupt it at any time; the same command
    goes on.
    """
    from db.build import build_database

    try:
        with progress_bar("analysing", quiet=as_json) as progress:
            report = build_database(
                audio_dir,
                database,
                settings=_asked_settings(database, asked),
                prune=prune,
                moved=moved,
                executor=executor,
                jobs=jobs,
                address=address,
                progress=progress,
            )
    except KeyboardInterrupt:
        raise click.ClickException(
            f"interrupted; what was analysed is kept in {database}. Run the same command to go on"
        ) from None
    if as_json:
        echo_json(
            {
                "database": str(database),
                "added": report.added,
                "changed": report.changed,
                "renamed": report.renamed,
                "unchanged": len(report.unchanged),
                "vanished": report.vanished,
                "pruned": report.pruned,
                "failed": dict(report.failed),
                "audio_seconds": report.audio_seconds,
                "seconds": report.seconds,
            }
        )
    else:
        _echo_report(database, report)
    if report.failed:
        raise SystemExit(1)


def _asked_settings(database: Path, asked: dict):
    """Settings that the options ask for, on top of the database's own; None if they ask for
    nothing.
    """
    from db.database import Database
    from db.manifest import FILE_NAME
    from db.settings import DescriptorSettings
    from files.errors import ParameterError

    asked = {name: value for name, value in asked.items() if value is not None}
    if not asked:
        return None
    if "descriptors" in asked:
        asked["descriptors"] = tuple(name.strip() for name in asked["descriptors"].split(","))
    exists = (database / FILE_NAME).exists()
    settings = replace(Database(database).settings if exists else DescriptorSettings(), **asked)
    if settings.units not in ("onset", "beat") and {"min_unit_ms", "max_unit_ms"} & set(asked):
        raise ParameterError(
            f"--min-unit and --max-unit go with --units onset or beat, not {settings.units}"
        )
    return settings


def _echo_report(database: Path, report) -> None:
    speed = (
        f", {report.audio_seconds / report.seconds:.0f} × real time" if report.audio_seconds else ""
    )
    renamed = f"{len(report.renamed)} renamed, " if report.renamed else ""
    click.echo(
        f"{database}: {len(report.added)} added, {len(report.changed)} changed,"
        f" {renamed}{len(report.unchanged)} unchanged, {len(report.failed)} failed;"
        f" {report.audio_seconds / 60:.1f} minutes of audio in {report.seconds:.1f} s{speed}"
    )
    for name, error in report.failed:
        click.echo(one_line(f"  failed: {name}: {error}"), err=True)
    if report.vanished:
        done = "removed" if report.pruned else "kept; remove them with --prune"
        click.echo(f"  {len(report.vanished)} sources have vanished from the folder ({done})")


@db.command(epilog="\b\nExamples:\n  demiurge db info my.db\n  demiurge db info my.db --json")
@database_argument
@root_option
@json_option
def info(database: Path, root: Path | None, as_json: bool) -> None:
    """Say what the database DB holds: hours, sources, units, settings, size, failures."""
    from db.database import Database

    opened = Database(database, root=root)
    settings = opened.settings
    units = opened.units
    size = sum(file.stat().st_size for file in database.rglob("*") if file.is_file())
    seconds = sum(source.n_samples for source in opened.sources) / opened.sample_rate
    missing = [
        source.path for source in opened.sources if not (opened.root / source.path).is_file()
    ]
    facts = {
        "database": str(database),
        "id": opened.id,
        "root": str(opened.root),
        "sources": len(opened.sources),
        "units": opened.n_units,
        "seconds": seconds,
        "bytes": size,
        "settings": settings.to_dict(),
        "descriptors": list(settings.names),
        "missing": missing,
        "tags": _tag_counts(opened),
        "failed": {failure.path: failure.error for failure in opened.failures},
    }
    if as_json:
        echo_json({**facts, "source_paths": [source.path for source in opened.sources]})
        return
    there = "" if opened.root.is_dir() else " (not there; name its new place with --root)"
    longest = f"of {units.n_samples.min()} to {units.n_samples.max()} samples" if len(units) else ""
    rows = [
        ["corpus folder", f"{opened.root}{there}"],
        [
            "sources",
            (
                f"{len(opened.sources)} ({len(opened.failures)} failed, {len(missing)} not in the"
                " folder)"
            ),
        ],
        ["duration", f"{seconds / 3600:.2f} h"],
        ["units", f"{opened.n_units} ({settings.units}) {longest} at {settings.sample_rate} Hz"],
        ["descriptors", f"{settings.n_descriptors}: {', '.join(settings.descriptors)}"],
        ["frames", f"every {settings.hop_length} samples, windows of {settings.n_fft}"],
        ["tags", ", ".join(f"{tag} ({count})" for tag, count in facts["tags"].items()) or "none"],
        ["size on disk", f"{size / 1e6:.1f} MB"],
        ["id", opened.id],
    ]
    echo_table(str(database), ["what", "value"], rows)
    for failure in opened.failures:
        click.echo(one_line(f"failed: {failure.path}: {failure.error}"), err=True)


def _tag_counts(database) -> dict[str, int]:
    """How many sources have each tag."""
    return dict(sorted(Counter(tag for tags in database.tags.values() for tag in tags).items()))


@db.command(
    epilog=(
        "\b\nExamples:\n  demiurge db tag my.db 'drums/*' drums loud\n  demiurge db tag my.db"
        " 'drums/quiet*' loud --remove"
    )
)
@database_argument
@click.argument("pattern")
@click.argument("tags", metavar="TAG…", nargs=-1, required=True)
@click.option("--remove", is_flag=True, help="Take the tags away.")
@json_option
def tag(database: Path, pattern: str, tags: tuple[str, ...], remove: bool, as_json: bool) -> None:
    """Give the sources of DB that fit PATTERN tags, by which --tag chooses among them."""
    from db.tags import tag_sources

    matched = tag_sources(database, pattern, list(tags), remove=remove)
    if as_json:
        echo_json(
            {"database": str(database), "tags": list(tags), "removed": remove, "sources": matched}
        )
        return
    click.echo(
        f"{database}: {len(matched)} sources are {'no longer ' if remove else ''}tagged"
        f" {', '.join(tags)}"
    )


@db.command(
    epilog=(
        "\b\nExamples:\n  demiurge db remove my.db 'old_takes/*'\n  demiurge db remove my.db"
        " kick.wav snare.wav --json"
    )
)
@database_argument
@click.argument("patterns", metavar="PATTERN…", nargs=-1, required=True)
@json_option
def remove(database: Path, patterns: tuple[str, ...], as_json: bool) -> None:
    """Take the sources that match a PATTERN out of DB. Audio files are not touched.

    A pattern is a path as DB has it; *, ? and [abc] stand for any characters. The next build of the
    folder adds what is still there.
    """
    from db.maintain import remove_sources

    removed = remove_sources(database, list(patterns))
    if as_json:
        echo_json({"database": str(database), "removed": removed})
        return
    click.echo(
        f"{database}: {len(removed)} sources removed; give back their space with: demiurge db"
        f" compact {database}"
    )
    for name in removed[:SHOWN]:
        click.echo(f"  {one_line(name)}")
    if len(removed) > SHOWN:
        click.echo(f"  … and {len(removed) - SHOWN} more")


@db.command(epilog="\b\nExamples:\n  demiurge db compact my.db\n  demiurge db compact my.db --json")
@database_argument
@json_option
def compact(database: Path, as_json: bool) -> None:
    """Rewrite DB without the rows of sources that changed or were removed.

    Plans stay playable; unit numbers change.
    """
    from db.maintain import compact as compact_database

    with progress_bar("compacting", quiet=as_json) as progress:
        before, after = compact_database(database, progress=progress)
    if as_json:
        echo_json({"database": str(database), "bytes_before": before, "bytes_after": after})
    else:
        click.echo(f"{database}: {before / 1e6:.1f} MB of descriptors are now {after / 1e6:.1f} MB")


@db.command(
    epilog=(
        "\b\nExamples:\n  demiurge db verify my.db\n  demiurge db verify my.db --repair\n  demiurge"
        " db verify my.db --json"
    )
)
@database_argument
@root_option
@click.option("--rows-only", is_flag=True, help="Do not read the audio files.")
@click.option(
    "--repair",
    is_flag=True,
    help="Take out sources whose rows are damaged; the next build analyses them again.",
)
@json_option
def verify(database: Path, root: Path | None, rows_only: bool, repair: bool, as_json: bool) -> None:
    """Check every row of DB against its checksum and every audio file against its hash."""
    from db.maintain import verify as verify_database

    with progress_bar("verifying", quiet=as_json) as progress:
        found = verify_database(
            database, root=root, check_files=not rows_only, repair=repair, progress=progress
        )
    if as_json:
        echo_json(
            {
                "database": str(database),
                "ok": found.ok,
                "sources": found.sources,
                "rows": found.rows,
                "dead_rows": found.dead_rows,
                "damaged": dict(found.damaged),
                "files": dict(found.files),
                "repaired": found.repaired,
            }
        )
    else:
        files = "" if rows_only else f", {len(found.files)} audio files differ"
        click.echo(
            f"{database}: {found.sources} sources, {found.rows} rows checked, {len(found.damaged)}"
            f" damaged{files}; {found.dead_rows} rows are of no source any more"
        )
        for name, problem in found.damaged + found.files:
            click.echo(one_line(f"  {name}: {problem}"), err=True)
        if found.repaired:
            click.echo(
                f"  taken out: {len(found.repaired)}; analyse them again with: demiurge db build"
                f" AUDIO_DIR {database}"
            )
        elif found.damaged:
            click.echo(f"  mend it with: demiurge db verify --repair {database}")
    if not found.ok:
        raise SystemExit(1)


@db.command(
    epilog=(
        "\b\nExamples:\n  demiurge db export my.db table.csv --format csv\n"
        "  demiurge db export my.db dataset.json --format flucoma"
    )
)
@database_argument
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "format_name",
    type=click.Choice(["demiurge-json", "csv", "npz", "parquet", "flucoma"]),
    required=True,
)
@force_option
@json_option
def export(database: Path, file: Path, format_name: str, force: bool, as_json: bool) -> None:
    """Write every unit of DB with its source, position and descriptors to FILE."""
    from db.database import Database
    from db.interchange import export_database

    check_output(file, force=force)
    n_units = export_database(Database(database), file, format=format_name)
    if as_json:
        echo_json({"file": str(file), "format": format_name, "units": n_units})
    else:
        click.echo(f"{file}: {n_units} units as {format_name}")


@db.command(
    "import",
    epilog=(
        "\b\nExamples:\n  demiurge db import table.npz new.db --root my_sounds\n"
        "  demiurge db import old_demiurge.json my.db"
    ),
)
@click.argument("files", metavar="FILE…", nargs=-1, required=True, type=click.Path(path_type=Path))
@database_argument
@click.option(
    "--root",
    type=click.Path(path_type=Path),
    help="The folder of the audio; needed for a new database.",
)
@json_option
def import_(files: tuple[Path, ...], database: Path, root: Path | None, as_json: bool) -> None:
    """Put descriptors from FILEs that db export or the original Demiurge wrote (.json, .csv, .npz,
    .parquet) into DB.
    """
    from db.interchange import import_files

    names = import_files(list(files), database, root=root)
    if as_json:
        echo_json({"database": str(database), "sources": names})
    else:
        click.echo(f"{database}: {len(names)} sources imported")
