"""demiurge bench: this machine against the reference path."""

from pathlib import Path

import click

from demiurge.cli.options.output import echo_json, echo_table, json_option


@click.command(
    epilog="\b\nExamples:\n  demiurge bench\n  demiurge bench db --audio my_sounds --json"
)
@click.argument("names", nargs=-1, metavar="[NAME…]")
@click.option(
    "--audio",
    type=click.Path(path_type=Path),
    help="Folder to measure on. [default: WAVs made of the bundled sounds]",
)
@click.option(
    "--repeats",
    type=click.IntRange(1),
    default=3,
    show_default=True,
    help="Runs of each; the median counts.",
)
@click.option(
    "--full",
    is_flag=True,
    help="Hours of audio, 20 000 files, a million units: the published sizes. Many minutes.",
)
@json_option
def bench(
    names: tuple[str, ...], audio: Path | None, repeats: int, full: bool, as_json: bool
) -> None:
    """Measure NAMEs (db, query, playback, sequencer, synth, web; all by default) against a named
    baseline in one run.
    """
    from demiurge.bench import run_benchmarks

    results = run_benchmarks(names, audio=audio, repeats=repeats, full=full)
    if as_json:
        echo_json([result.to_dict() for result in results])
        return
    for result in results:
        rows = [
            [
                path,
                f"{seconds:.4g} s",
                f"{result.audio_seconds / seconds:.0f} × real time" if result.audio_seconds else "",
            ]
            for path, seconds in (
                ("Demiurge", result.seconds),
                (result.baseline, result.baseline_seconds),
            )
        ]
        echo_table(
            f"{result.name}: {result.ratio:.1f} × faster; {result.what}",
            ["path", "time (median)", "speed"],
            rows,
        )
        for name, value in result.facts.items():
            click.echo(
                f"  {name}: {value:.4g}" if isinstance(value, float) else f"  {name}: {value}"
            )
