"""demiurge bench: measure Demiurge against baselines on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from demiurge.cli.options.command import command
from demiurge.cli.options.output import json_option
from demiurge.cli.options.paths import ANY_PATH
from demiurge.cli.terminal import echo_json, echo_line, echo_table

if TYPE_CHECKING:
    from demiurge.bench import Result


@command(examples=("demiurge bench", "demiurge bench db --audio my_sounds --json"))
@click.argument("names", nargs=-1, metavar="[NAME…]")
@click.option(
    "--audio",
    type=ANY_PATH,
    help="Folder of audio to measure with. [default: WAVs made from the bundled sounds]",
)
@click.option(
    "--repeats",
    type=click.IntRange(1),
    default=3,
    show_default=True,
    help="Number of runs of each; the median is shown.",
)
@click.option(
    "--full",
    is_flag=True,
    help="Measure the published sizes: hours of audio, 20 000 files, a million units. Takes many"
    " minutes.",
)
@json_option
def bench(
    names: tuple[str, ...], audio: Path | None, repeats: int, full: bool, as_json: bool
) -> None:
    """Measure rooms NAMEs, each against a baseline in the same run.

    NAMEs are start (commands from the shell), db, query, playback, sequencer, synth, web, live and
    cluster; all of them by default.
    """
    from demiurge.bench import run_benchmarks

    results = run_benchmarks(names, audio=audio, repeats=repeats, full=full)
    if as_json:
        echo_json([result.to_dict() for result in results])
        return
    for result in results:
        echo_result(result)


def echo_result(result: Result) -> None:
    """Print the two medians of a benchmark, and its other figures."""
    rows = [
        ["Demiurge", f"{result.seconds:.4g} s", speed_text(result, result.seconds)],
        [
            result.baseline,
            f"{result.baseline_seconds:.4g} s",
            speed_text(result, result.baseline_seconds),
        ],
    ]
    title = f"{result.name}: {result.ratio:.1f} × faster; {result.what}"
    echo_table(title, ["path", "time (median)", "speed"], rows)
    for name, value in result.facts.items():
        shown = f"{value:.4g}" if isinstance(value, float) else value
        echo_line(f"  {name}: {shown}")


def speed_text(result: Result, seconds: float) -> str:
    """Return the speed relative to real time; "" if the benchmark is not about audio."""
    return f"{result.audio_seconds / seconds:.0f} × real time" if result.audio_seconds else ""
