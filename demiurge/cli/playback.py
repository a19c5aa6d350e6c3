"""demiurge playback: render a plan, hear it, read it, or hand it to other tools."""

import os
from pathlib import Path

import click

from demiurge.cli.options.joins import level_notes, render_option_group, take_render_options
from demiurge.cli.options.output import (
    check_output,
    echo_json,
    force_option,
    json_option,
    progress_bar,
)
from files.errors import ParameterError

EXPORTS = ["reaper", "labels", "csv", "edl"]


@click.command(
    epilog=(
        "\b\nExamples:\n  demiurge playback out.plan.json -o again.wav\n  demiurge playback"
        " out.plan.json -o again.flac --lufs -16 --picture again.png\n  demiurge playback"
        " out.plan.json --export reaper\n  demiurge playback out.plan.json --play\n  demiurge"
        " playback out.plan.json --show"
    )
)
@click.argument("plan", type=click.Path(path_type=Path))
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), help="The WAV, FLAC or OGG file to write."
)
@click.option("--play", is_flag=True, help="Hear it now, as it is made.")
@click.option(
    "--device", help="Where --play plays: an audio output's name or number. [default: the system's]"
)
@click.option(
    "--export",
    "exports",
    multiple=True,
    type=click.Choice(EXPORTS),
    help=(
        "Write it for REAPER, as Audacity labels, as a table, or as a Samplitude EDL, beside OUT or"
        " PLAN; repeatable."
    ),
)
@click.option(
    "--stems",
    type=click.Path(path_type=Path),
    help="Write what each source plays into this folder, a file each.",
)
@click.option(
    "--picture",
    type=click.Path(path_type=Path),
    help="Draw OUT into this PNG: its sources, its crossfade, its spectrum.",
)
@click.option(
    "--show",
    is_flag=True,
    help="List its steps: what is played when, why, and what else would have fitted.",
)
@click.option(
    "--skip-missing",
    is_flag=True,
    help="Leave silence where a source cannot be played, and exit 1.",
)
@click.option(
    "--root", type=click.Path(path_type=Path), help="Where the corpus is now, if it has moved."
)
@render_option_group
@force_option
@json_option
@click.pass_context
def playback(
    context: click.Context,
    plan: Path,
    out: Path | None,
    play: bool,
    device: str | None,
    exports: tuple[str, ...],
    stems: Path | None,
    picture: Path | None,
    show: bool,
    skip_missing: bool,
    root: Path | None,
    force: bool,
    as_json: bool,
    **options,
) -> None:
    """Render PLAN, as it was written or as you have edited it.

    Seams are as the plan says unless you say otherwise.
    """
    from playback.live import check_output_device
    from playback.open_plan import open_plan
    from playback.outputs import Outputs, export_path, listen, write_outputs
    from playback.plan import Plan

    if show:
        show_plan(
            plan,
            root,
            options,
            makes=bool(out or play or exports or stems or picture),
            as_json=as_json,
        )
        return
    if picture and not out:
        raise ParameterError(f"--picture {picture} draws what is rendered; give -o OUT as well")
    if not (out or play or exports or stems):
        raise ParameterError("nothing to do; give -o OUT, --play, --show, --export or --stems")
    if play:
        check_output_device(device)
    loaded = Plan.load(plan, alternatives=False)
    render_options = take_render_options(options, loaded.settings)
    outputs = Outputs(
        out, picture, stems, {kind: export_path(out or plan, kind) for kind in exports}
    )
    files = outputs.files(loaded)
    _check_outputs(plan, loaded, outputs, files, render_options.output, force=force)
    with progress_bar("reading", quiet=as_json) as progress:
        opened = open_plan(
            loaded, root, outputs=files, skip_missing=skip_missing, progress=progress
        )
    with opened:
        with progress_bar("playback", quiet=as_json) as progress:
            played = write_outputs(opened, plan.name, outputs, render_options, progress=progress)
        if as_json:
            echo_json(_facts(loaded, played))
        else:
            _echo(loaded, played, out, render_options.output.lufs)
        if play:
            gain_db = played.summary.gain_db if played.summary else 0.0
            with progress_bar("playing", quiet=as_json) as progress:
                heard = listen(
                    opened, render_options, gain_db=gain_db, device=device, progress=progress
                )
            if heard.underruns:
                click.echo(
                    f"the sound was interrupted {heard.underruns} times: the machine was too busy",
                    err=True,
                )
    if played.skipped:
        context.exit(1)


def show_plan(plan: Path, root: Path | None, options: dict, *, makes: bool, as_json: bool) -> None:
    """List a plan's steps."""
    from demiurge.cli.plan_table import echo_plan, plan_facts
    from playback.plan import Plan

    if makes:
        raise ParameterError(
            "--show lists the plan and makes nothing; leave out -o, --play, --export, --stems and"
            " --picture"
        )
    loaded = Plan.load(plan)
    facts = plan_facts(loaded, plan, take_render_options(options, loaded.settings).crossfade, root)
    if as_json:
        echo_json(facts)
    else:
        echo_plan(facts)


def _check_outputs(plan: Path, loaded, outputs, files: list[Path], output, *, force: bool) -> None:
    """Refuse early what cannot be written, or would take the place of something."""
    from audio.write import check_output_format

    if not outputs.out and (output.lufs, output.true_peak_db) != (None, None):
        raise ParameterError(
            "--lufs and --true-peak say how loud OUT is written; give -o OUT as well"
        )
    if not (outputs.out or outputs.stems) and output.bits:
        raise ParameterError(
            "--bits says how OUT and the stems are written; give -o OUT or --stems as well"
        )
    if outputs.out:
        check_output_format(
            outputs.out, output.bits, sample_rate=loaded.sample_rate, channels=loaded.channels
        )
    if outputs.stems and outputs.stems.exists() and not outputs.stems.is_dir():
        raise ParameterError(f"--stems {outputs.stems} is a file; give the name of a folder")
    for path in files:
        if os.path.realpath(path) == os.path.realpath(plan):
            raise ParameterError(f"{path} is the plan itself; give another name")
        check_output(
            path,
            force=force,
            folder_is_made=outputs.stems is not None and path.parent == outputs.stems,
        )


def _facts(plan, played) -> dict:
    summary = played.summary
    facts = {
        "files": [str(path) for path in played.files],
        "skipped": played.skipped,
        "samples": plan.n_samples,
        "seconds": plan.n_samples / plan.sample_rate,
        "steps": played.n_steps,
        "plan": plan.identity,
    }
    if summary:
        facts |= {
            "peak": summary.peak,
            "gain_db": summary.gain_db,
            "lufs": summary.lufs,
            "true_peak_db": summary.true_peak_db,
        }
    return facts


def _echo(plan, played, out: Path | None, lufs: float | None) -> None:
    if out:
        click.echo(f"{out}: {plan.n_samples / plan.sample_rate:.2f} s, {played.n_steps} units")
        for note in level_notes(played.summary, lufs):
            click.echo(f"  {note}")
    for path in played.files:
        if path != out:
            click.echo(path)
    for what, problem in played.skipped.items():
        lengths = [step.n_samples for step in plan.steps if step.source == what]
        how_much = (
            f" ({len(lengths)} steps, {sum(lengths) / plan.sample_rate:.2f} s)" if lengths else ""
        )
        click.echo(f"skipped {what}{how_much}: {problem}", err=True)
