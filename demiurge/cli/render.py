"""demiurge render and demiurge mosaic: from a file to a WAV made of the corpus."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from demiurge.cli.options.joins import level_notes, render_option_group, take_render_options
from demiurge.cli.options.output import (
    audio_out_option,
    check_audio_output,
    check_output,
    echo_json,
    force_option,
    json_option,
    progress_bar,
)
from demiurge.cli.options.sampling import drawing_options
from demiurge.cli.options.search import (
    path_options,
    search_options,
    take_selection,
    variation_options,
)
from files.errors import ParameterError

DEFAULT_STEPS = 430


def selection_options(command: Callable) -> Callable:
    """How units are chosen, joined and written; the same for render and mosaic."""
    for option in reversed(
        (
            click.option("-k", type=click.IntRange(1), help="Candidates per step. [default: 32]"),
            path_options,
            click.option(
                "--variations",
                type=click.IntRange(1),
                default=1,
                show_default=True,
                help="So many different good paths: OUT-1.wav, OUT-2.wav, …, each with its plan.",
            ),
            search_options,
            render_option_group,
            click.option(
                "--root",
                type=click.Path(path_type=Path),
                help="Where the corpus is now, if it has moved.",
            ),
        )
    ):
        command = option(command)
    return command


@click.command(
    epilog=(
        "\b\nExamples:\n  demiurge render seed.wav my.db my.model -o out.wav\n  demiurge render"
        " seed.wav my.db my.model -o out.wav --steps 1000 --seed 7 --temperature 0.8"
    )
)
@click.argument("seed", type=click.Path(path_type=Path))
@click.argument("database", metavar="DB", type=click.Path(path_type=Path))
@click.argument("model", type=click.Path(path_type=Path))
@audio_out_option
@click.option(
    "--steps", type=click.IntRange(1), help="Units to add. [default: 430; of 23 ms these are 10 s]"
)
@click.option(
    "--seconds",
    type=click.FloatRange(0, min_open=True),
    help="How long to go on, instead of --steps.",
)
@drawing_options
@selection_options
@force_option
@json_option
def render(
    seed: Path, database: Path, model: Path, out: Path, force: bool, as_json: bool, **options
) -> None:
    """Forecast how SEED goes on, find the sequence in DB, and write it to a WAV.

    OUT.plan.json is written beside it.
    """
    from demiurge.pipeline import render_continuation

    if options["steps"] is None and options["seconds"] is None:
        options["steps"] = DEFAULT_STEPS
    render_options = take_render_options(options)
    check_outputs(seed, out, options["variations"], render_options.output.bits, force=force)
    with progress_bar("rendering", quiet=as_json) as progress:
        search = take_selection(options)
        results = render_continuation(
            seed,
            database,
            model,
            out,
            search=search,
            render_options=render_options,
            progress=progress,
            **options,
        )
    echo_results(results, render_options.output.lufs, as_json=as_json)


@click.command(
    epilog=(
        "\b\nExamples:\n  demiurge mosaic voice.wav my.db -o out.wav\n  demiurge mosaic voice.wav"
        " my.db -o out.wav --continuity 0\n  demiurge mosaic voice.wav my.db -o out.wav --min-reuse"
        " 2 --max-run 1 --temperature 0.1 --seed 3\n  demiurge mosaic voice.wav my.db -o out.wav"
        " --variations 4 --source 'drums/*' --where 'mfcc0>-200'"
    )
)
@click.argument("target", type=click.Path(path_type=Path))
@click.argument("database", metavar="DB", type=click.Path(path_type=Path))
@audio_out_option
@selection_options
@variation_options
@force_option
@json_option
def mosaic(target: Path, database: Path, out: Path, force: bool, as_json: bool, **options) -> None:
    """Rebuild TARGET out of units of DB, without a forecast. OUT.plan.json is written beside it."""
    from demiurge.pipeline import render_mosaic

    render_options = take_render_options(options)
    check_outputs(target, out, options["variations"], render_options.output.bits, force=force)
    with progress_bar("rendering", quiet=as_json) as progress:
        search = take_selection(options)
        results = render_mosaic(
            target,
            database,
            out,
            search=search,
            render_options=render_options,
            progress=progress,
            **options,
        )
    echo_results(results, render_options.output.lufs, as_json=as_json)


def check_outputs(
    given: Path, out: Path, variations: int, bits: str | None, *, force: bool
) -> None:
    """Refuse early if an audio file, or the plan beside it, cannot be written, or would take the
    place of the file given.
    """
    from demiurge.pipeline import plan_path, variation_paths

    for path in variation_paths(out, variations):
        if os.path.realpath(given) in map(os.path.realpath, (path, plan_path(path))):
            raise ParameterError(f"{given} would be written over; give another name with -o")
        check_audio_output(path, force=force, bits=bits)
        check_output(plan_path(path), force=force)


def echo_results(results: list, lufs: float | None, *, as_json: bool) -> None:
    """What was written, and of what it is made."""
    if as_json:
        documents = [result_facts(result) for result in results]
        echo_json(documents[0] if len(documents) == 1 else documents)
        return
    for result in results:
        facts = result_facts(result)
        plan = result.plan_file
        click.echo(
            f"{result.wav}: {facts['seconds']:.2f} s of {facts['steps']} units"
            f" ({facts['distinct_units']} distinct) from {facts['sources']} sources,"
            f" {facts['joins']} joins"
        )
        if facts["rest_seconds"]:
            click.echo(f"  rests for {facts['rest_seconds']:.2f} s, where no unit is near enough")
        for note in level_notes(result.summary, lufs):
            click.echo(f"  {note}")
        click.echo(
            f"{plan}: the plan; edit it and play it with: demiurge playback {plan} -o NEW.wav"
        )


def result_facts(result) -> dict[str, Any]:
    plan = result.plan
    summary = result.summary
    return {
        "wav": str(result.wav),
        "plan": str(result.plan_file),
        "samples": summary.n_samples,
        "seconds": summary.n_samples / plan.sample_rate,
        "steps": len(plan.steps),
        "sources": result.n_sources,
        "distinct_units": result.n_distinct_units,
        "joins": result.n_joins,
        "mean_distance": result.mean_distance,
        "rest_seconds": result.rest_seconds,
        "peak": summary.peak,
        "gain_db": summary.gain_db,
        "lufs": summary.lufs,
        "true_peak_db": summary.true_peak_db,
    }
