"""demiurge render and demiurge mosaic: from a file to a WAV made of the corpus."""

import math
from collections.abc import Callable
from pathlib import Path

import click

from demiurge.cli.drawing import drawing_options
from demiurge.cli.filtering import filter_options, take_filters, take_weights
from demiurge.cli.output import audio_out_option, check_wav, echo_json, force_option, json_option, progress_bar

DEFAULT_STEPS = 430


def selection_options(command: Callable) -> Callable:
    """How units are chosen and joined; the same for render and mosaic."""
    for option in reversed((
        click.option("-k", type=click.IntRange(1), default=32, show_default=True, help="Candidates per step."),
        click.option(
            "--continuity", type=click.FloatRange(0), default=0.3, show_default=True,
            help="Weight of the joins: 0 takes the nearest unit of every step, more gives longer runs of one source.",
        ),
        click.option(
            "--search", type=click.Choice(["viterbi", "beam", "greedy"]), default="viterbi", show_default=True,
            help="The best path, the best of 16 carried along, or the best unit at each step.",
        ),
        click.option(
            "--novelty", type=click.FloatRange(0), default=0.0, show_default=True,
            help="Cost of playing a unit again, for each doubling: 0 to about 5.",
        ),
        click.option(
            "--min-reuse", type=click.FloatRange(0), default=0.0, show_default=True, metavar="SECONDS",
            help="No unit is played again within so long.",
        ),
        click.option(
            "--max-run", type=click.FloatRange(0, min_open=True), default=math.inf, metavar="SECONDS",
            help="No run of one recording lasts longer. [default: no limit]",
        ),
        click.option(
            "--crossfade", "crossfade_ms", type=click.FloatRange(0), default=22.0, show_default=True, help="Milliseconds."
        ),
        click.option("--root", type=click.Path(path_type=Path), help="Where the corpus is now, if it has moved."),
    )):  # fmt: skip
        command = option(command)
    return command


@click.command(
    epilog="\b\nExamples:\n  demiurge render seed.wav my.db my.model -o out.wav\n"
    "  demiurge render seed.wav my.db my.model -o out.wav --steps 1000 --seed 7 --temperature 0.8"
)
@click.argument("seed", type=click.Path(path_type=Path))
@click.argument("database", metavar="DB", type=click.Path(path_type=Path))
@click.argument("model", type=click.Path(path_type=Path))
@audio_out_option
@click.option("--steps", type=click.IntRange(1), help="Units to add. [default: 430; of 23 ms these are 10 s]")
@click.option("--seconds", type=click.FloatRange(0, min_open=True), help="How long to go on, instead of --steps.")
@drawing_options
@selection_options
@filter_options
@force_option
@json_option
def render(seed: Path, database: Path, model: Path, out: Path, force: bool, as_json: bool, **options) -> None:
    """Forecast how SEED goes on, find the sequence in DB, and write it to a WAV. OUT.plan.json is written beside it."""
    from demiurge.pipeline import plan_path, render_continuation

    check_wav(out, force=force)
    check_wav_plan(plan_path(out), force=force)
    if options["steps"] is None and options["seconds"] is None:
        options["steps"] = DEFAULT_STEPS
    with progress_bar("rendering", quiet=as_json) as progress:
        chosen = {"path_options": take_path_options(options), "filters": take_filters(options)}
        chosen["weights"] = take_weights(options)
        result = render_continuation(seed, database, model, out, progress=progress, **chosen, **options)
    echo_result(result, as_json=as_json)


@click.command(
    epilog="\b\nExamples:\n  demiurge mosaic voice.wav my.db -o out.wav\n"
    "  demiurge mosaic voice.wav my.db -o out.wav --continuity 0\n"
    "  demiurge mosaic voice.wav my.db -o out.wav --min-reuse 2 --max-run 1 --temperature 0.5 --seed 3\n"
    "  demiurge mosaic voice.wav my.db -o out.wav --source 'drums/*' --where 'mfcc0>-200'"
)
@click.argument("target", type=click.Path(path_type=Path))
@click.argument("database", metavar="DB", type=click.Path(path_type=Path))
@audio_out_option
@selection_options
@filter_options
@click.option(
    "--temperature",
    type=click.FloatRange(0),
    default=0.0,
    show_default=True,
    help="Random variation of the choice, in standard deviations; 1 is already much.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Another seed, another variation.")
@force_option
@json_option
def mosaic(target: Path, database: Path, out: Path, force: bool, as_json: bool, **options) -> None:
    """Rebuild TARGET out of units of DB, without a forecast. OUT.plan.json is written beside it."""
    from demiurge.pipeline import plan_path, render_mosaic

    check_wav(out, force=force)
    check_wav_plan(plan_path(out), force=force)
    with progress_bar("rendering", quiet=as_json) as progress:
        path_options = take_path_options(options, temperature=options.pop("temperature"), seed=options.pop("seed"))
        chosen = {"path_options": path_options, "filters": take_filters(options), "weights": take_weights(options)}
        result = render_mosaic(target, database, out, progress=progress, **chosen, **options)
    echo_result(result, as_json=as_json)


def take_path_options(options: dict, **more):
    """Take the options of `selection_options` that say what a path should be like out of `options`."""
    from query.options import PathOptions

    names = ("k", "search", "continuity", "novelty", "min_reuse", "max_run")
    return PathOptions(**{name: options.pop(name) for name in names}, **more)


def check_wav_plan(path: Path, *, force: bool) -> None:
    from demiurge.cli.output import check_output

    check_output(path, force=force)


def echo_result(result, *, as_json: bool) -> None:
    """What was written, and of what it is made."""
    plan, summary = result.plan, result.summary
    facts = {
        "wav": str(result.wav), "plan": str(result.plan_file), "samples": summary.n_samples,
        "seconds": summary.n_samples / plan.sample_rate, "steps": len(plan.steps), "sources": result.n_sources,
        "distinct_units": result.n_distinct_units, "joins": result.n_joins, "mean_distance": result.mean_distance,
        "peak": summary.peak, "gain_db": summary.gain_db,
    }  # fmt: skip
    if as_json:
        echo_json(facts)
        return
    click.echo(
        f"{result.wav}: {facts['seconds']:.2f} s of {facts['steps']} units ({facts['distinct_units']} distinct) "
        f"from {facts['sources']} sources, {facts['joins']} joins"
    )
    if summary.gain_db:
        click.echo(f"  lowered by {-summary.gain_db:.1f} dB to stay below full scale")
    click.echo(f"{result.plan_file}: the plan; edit it and play it with: demiurge playback {result.plan_file} -o NEW.wav")
