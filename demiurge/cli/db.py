"""demiurge db: build a descriptor database and look at it."""

from dataclasses import replace
from pathlib import Path

import click

from demiurge.cli.output import echo_json, echo_table, json_option, progress_bar


@click.group()
def db() -> None:
    """Build and inspect descriptor databases."""


@db.command(epilog="\b\nExamples:\n  demiurge db build my_sounds my.db\n  demiurge db build my_sounds my.db --prune --json")
@click.argument("audio_dir", type=click.Path(path_type=Path))
@click.argument("database", metavar="DB", type=click.Path(path_type=Path))
@click.option("--prune", is_flag=True, help="Remove sources whose files have vanished.")
@click.option("--sample-rate", type=click.IntRange(1000, 768000), help="Analysis rate in Hz. [default: 44100]")
@click.option("--hop-length", type=click.IntRange(1), help="Samples per unit. [default: 1024]")
@click.option(
    "--window-centre",
    type=click.Choice(["span", "start"]),
    help="Centre the analysis window on the span that is played, or on its first sample as the original did. [default: span]",
)
@json_option
def build(
    audio_dir: Path,
    database: Path,
    prune: bool,
    sample_rate: int | None,
    hop_length: int | None,
    window_centre: str | None,
    as_json: bool,
) -> None:
    """Analyse the audio under AUDIO_DIR into the database DB.

    New files are added, changed ones analysed again, unchanged ones skipped. A bad file is named and the rest is kept.
    """
    from db.build import build_database
    from db.database import Database
    from db.manifest import FILE_NAME
    from db.settings import DescriptorSettings

    asked = {"sample_rate": sample_rate, "hop_length": hop_length, "window_centre": window_centre}
    asked = {name: value for name, value in asked.items() if value is not None}
    settings = None
    if asked:
        exists = (database / FILE_NAME).exists()
        settings = replace(Database(database).settings if exists else DescriptorSettings(), **asked)  # type: ignore[arg-type]
    try:
        with progress_bar("analysing", quiet=as_json) as progress:
            report = build_database(audio_dir, database, settings=settings, prune=prune, progress=progress)
    except KeyboardInterrupt:
        raise click.ClickException(
            f"interrupted; what was analysed is kept in {database}. Run the same command to go on"
        ) from None
    if as_json:
        echo_json(
            {
                "database": str(database), "added": report.added, "changed": report.changed, "unchanged": len(report.unchanged),
                "vanished": report.vanished, "pruned": report.pruned, "failed": dict(report.failed),
                "audio_seconds": report.audio_seconds, "seconds": report.seconds,
            }
        )  # fmt: skip
    else:
        _echo_report(database, report)
    if report.failed:
        raise SystemExit(1)


def _echo_report(database: Path, report) -> None:
    speed = f", {report.audio_seconds / report.seconds:.0f} × real time" if report.audio_seconds else ""
    click.echo(
        f"{database}: {len(report.added)} added, {len(report.changed)} changed, {len(report.unchanged)} unchanged, "
        f"{len(report.failed)} failed; {report.audio_seconds / 60:.1f} minutes of audio in {report.seconds:.1f} s{speed}"
    )
    for name, error in report.failed:
        click.echo(f"  failed: {name}: {error}", err=True)
    if report.vanished:
        done = "removed" if report.pruned else "kept; remove them with --prune"
        click.echo(f"  {len(report.vanished)} sources have vanished from the folder ({done})")


@db.command(epilog="\b\nExamples:\n  demiurge db info my.db\n  demiurge db info my.db --json")
@click.argument("database", metavar="DB", type=click.Path(path_type=Path))
@json_option
def info(database: Path, as_json: bool) -> None:
    """Say what the database DB holds: hours, sources, units, settings, size, failures."""
    from db.database import Database

    opened = Database(database)
    size = sum(file.stat().st_size for file in database.rglob("*") if file.is_file())
    seconds = sum(source.n_samples for source in opened.sources) / opened.sample_rate
    facts = {
        "database": str(database), "id": opened.id, "root": str(opened.root), "sources": len(opened.sources),
        "units": opened.n_units, "seconds": seconds, "bytes": size, "descriptors": opened.settings.to_dict(),
        "failed": {failure.path: failure.error for failure in opened.failures},
    }  # fmt: skip
    if as_json:
        echo_json(facts)
        return
    settings = opened.settings
    rows = [
        ["corpus folder", str(opened.root)],
        ["sources", f"{len(opened.sources)} ({len(opened.failures)} failed)"],
        ["duration", f"{seconds / 3600:.2f} h"],
        ["units", f"{opened.n_units} of {settings.hop_length} samples at {settings.sample_rate} Hz"],
        ["descriptors", f"{settings.n_descriptors}: MFCC {settings.n_mfcc} + Δ + ΔΔ, windows of {settings.n_fft} samples"],
        ["size on disk", f"{size / 1e6:.1f} MB"],
        ["id", opened.id],
    ]
    echo_table(str(database), ["what", "value"], rows)
    for failure in opened.failures:
        click.echo(f"failed: {failure.path}: {failure.error}", err=True)
