"""demiurge db build: analyse a folder of audio into a database."""

from __future__ import annotations

from functools import partial
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

import click

from db.names import EXECUTORS
from demiurge.cli.db_bands import describe_kept, interruptible, measure_bands
from demiurge.cli.options.analysis import AskedSettings, analysis_options
from demiurge.cli.options.command import command, option
from demiurge.cli.options.output import database_argument, json_option
from demiurge.cli.options.paths import CORPUS_FOLDER
from demiurge.cli.terminal import counted, echo_json, echo_line, progress_bar

if TYPE_CHECKING:
    from db.build import BuildReport
    from files.remote import RemoteFolder

SHOWN = 5  # names printed of many files for people; --json prints all

work_option = partial(option, heading="The work")


@command(
    examples=(
        "demiurge db build my_sounds my.db",
        "demiurge db build my_sounds my.db --prune --json",
        "demiurge db build my_sounds frames.db --units frame --descriptors mfcc",
        "demiurge db build s3://archive/recordings my.db",
    )
)
@click.argument("audio_dir", type=CORPUS_FOLDER)
@database_argument
@analysis_options
@work_option(
    "--executor",
    type=click.Choice(EXECUTORS),
    help="How files are analysed in parallel; the result is the same. [default: threads; processes"
    " for many files]",
)
@work_option(
    "--jobs", type=click.IntRange(1), help="Number of workers. [default: one per processor]"
)
@work_option(
    "--address", help="Address of a Ray cluster, for --executor ray; auto finds this machine's."
)
@click.option("--prune", is_flag=True, help="Remove sources whose files no longer exist.")
@click.option(
    "--moved",
    is_flag=True,
    help="Use AUDIO_DIR for the corpus from now on, even if its old folder still exists.",
)
@json_option
def build(
    audio_dir: Path | RemoteFolder,
    database: Path,
    asked: AskedSettings,
    executor: str | None,
    jobs: int | None,
    address: str | None,
    prune: bool,
    moved: bool,
    as_json: bool,
) -> None:
    """Analyse the audio below AUDIO_DIR, a folder or its URL, into the database DB.

    What render needs is stored unless other units or descriptors are named: quarters of beats,
    with their spectrum, harmony and level. A mosaic of a voice or a texture needs --units frame.

    New files are added, changed ones analysed again, renamed ones recognised, and unchanged ones
    skipped. Unreadable files are reported, and tried again by the next build; the rest is kept.
    Left out is what Demiurge rendered. The command can be interrupted at any time; run it again to
    continue.
    """
    from db.build import build_database
    from demiurge.model_descriptors import open_model

    with interruptible(database), progress_bar("analysing", quiet=as_json) as progress:
        report = build_database(
            audio_dir,
            database,
            settings=asked.settings(database),
            prune=prune,
            moved=moved,
            executor=executor,
            jobs=jobs,
            address=address,
            open_model=open_model,
            progress=progress,
        )
    if not as_json:
        echo_report(database, report)
    kept = measure_bands(database, quiet=as_json) if asked.bands else None
    if as_json:
        echo_json(report_facts(database, report) | ({"bands": kept} if kept else {}))
    elif kept:
        echo_line(f"  {describe_kept(kept)}")
    if report.failed:
        raise SystemExit(1)


def report_facts(database: Path, report: BuildReport) -> dict[str, Any]:
    """Return the facts that --json prints about a build."""
    return {
        "database": str(database),
        "added": report.added,
        "changed": report.changed,
        "renamed": report.renamed,
        "unchanged": len(report.unchanged),
        "vanished": report.vanished,
        "pruned": report.pruned,
        "failed": dict(report.failed),
        "read_anew": report.read_anew,
        "warnings": dict(report.warnings),
        "renders": report.renders,
        "own_folders": report.own_folders,
        "audio_seconds": report.audio_seconds,
        "seconds": report.seconds,
    }


def echo_report(database: Path, report: BuildReport) -> None:
    """Print a summary of a build, and the files that failed."""
    counts = [f"{len(report.added)} added", f"{len(report.changed)} changed"]
    if report.renamed:
        counts.append(f"{len(report.renamed)} renamed")
    counts += [f"{len(report.unchanged)} unchanged", f"{len(report.failed)} failed"]
    took = f"{report.audio_seconds / 60:.1f} minutes of audio in {report.seconds:.1f} s"
    if report.audio_seconds:
        took += f", {report.audio_seconds / report.seconds:.0f} × real time"
    echo_line(f"{database}: {', '.join(counts)}; {took}")
    echo_grouped("failed", report.failed)
    echo_grouped("warning", report.warnings)
    if report.read_anew:
        echo_names(
            f"{counted(len(report.read_anew), 'file')} that an earlier build refused or cut short,"
            " read anew",
            report.read_anew,
        )
    if report.renders:
        rendered = f"{counted(len(report.renders), 'file')} that Demiurge rendered, left out"
        echo_names(rendered, report.renders)
    if report.own_folders:
        written = f"{counted(len(report.own_folders), 'folder')} that Demiurge wrote, left out"
        echo_names(written, report.own_folders)
    if report.vanished:
        done = "removed" if report.pruned else "kept; remove them with --prune"
        vanished = counted(len(report.vanished), "source")
        echo_line(f"  {vanished} no longer in the folder ({done})")


def echo_names(what: str, names: list[str]) -> None:
    """Print some of many names on one line."""
    echo_line(f"  {what}: {first_names(names)}")


def first_names(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def echo_grouped(what: str, told: list[tuple[str, str]]) -> None:
    """Print a text for each of many files on standard error, equal texts of many on one line.

    Texts are equal, too, that differ only in the file's own name, as in a command to convert it.
    """
    groups: dict[str, list[tuple[str, str]]] = {}
    for name, text in told:
        groups.setdefault(text.replace(f"{PurePath(name).stem}.", ""), []).append((name, text))
    for group in groups.values():
        names = [name for name, _ in group]
        text = group[0][1]
        if len(names) == 1:
            echo_line(f"  {what}: {names[0]}: {text}", err=True)
            continue
        echo_line(f"  {what}: {len(names)} files: {text}: {first_names(names)}", err=True)
