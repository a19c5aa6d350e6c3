"""demiurge playback: render a plan, play it, list it, or export it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from demiurge.cli.options.command import command
from demiurge.cli.options.joins import JoinsAndFile, playback_options
from demiurge.cli.options.output import check_output, force_option, json_option
from demiurge.cli.options.paths import ANY_PATH
from demiurge.cli.options.roots import roots_option
from demiurge.cli.options.wanted import Wanted, wanted_options
from demiurge.cli.render_report import decode_facts, echo_decoded, level_facts, level_notes
from demiurge.cli.terminal import echo_json, echo_line, progress_bar
from files.errors import ParameterError

if TYPE_CHECKING:
    from demiurge.cli.options.roots import MovedRoot
    from playback.open_plan import OpenPlan
    from playback.options import OutputOptions, RenderOptions
    from playback.outputs import Outputs, WrittenOutputs
    from playback.plan import Plan


@command(
    examples=(
        "demiurge playback out.plan.json -o again.wav",
        "demiurge playback out.plan.json -o again.flac --lufs -16 --picture again.png",
        "demiurge playback out.plan.json --export reaper",
        "demiurge playback out.plan.json --play",
        "demiurge playback out.plan.json --show",
    )
)
@click.argument("plan", type=ANY_PATH)
@wanted_options
@playback_options
@roots_option
@click.option(
    "--skip-missing",
    is_flag=True,
    help="Leave silence where a source cannot be played, and exit with 1.",
)
@force_option
@json_option
@click.pass_context
def playback(
    context: click.Context,
    plan: Path,
    wanted: Wanted,
    asked: JoinsAndFile,
    root: MovedRoot,
    skip_missing: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Render PLAN, as it was written or as you have edited it.

    Joins follow the plan's settings, unless options override them.
    """
    from playback.open_plan import open_plan
    from playback.outputs import write_outputs
    from playback.plan import Plan

    if asked.decode is not None:
        check_decoded(wanted)
    if wanted.show:
        show_plan(plan, root, wanted, asked, as_json=as_json)
        return
    check_request(wanted)
    loaded = Plan.load(plan, alternatives=False)
    render_options = asked.render_options(loaded.settings)
    outputs = wanted.outputs(plan)
    check_outputs(plan, loaded, outputs, render_options.output, force=force)
    files = outputs.files(loaded)
    with progress_bar("reading", quiet=as_json) as progress:
        opened = open_plan(
            loaded,
            root,
            outputs=files,
            skip_missing=skip_missing,
            outside=True,
            progress=progress,
        )
    with opened:
        with progress_bar("rendering", quiet=as_json) as progress:
            written = write_outputs(opened, plan.name, outputs, render_options, progress=progress)
        if as_json:
            facts = written_facts(loaded, written)
            echo_json(facts | decode_facts(render_options.decoded_by))
        else:
            echo_written(loaded, written, wanted.out, render_options.output.lufs)
            echo_decoded(render_options.decoded_by)
        if wanted.play:
            gain_db = written.summary.gain_db if written.summary else 0.0
            play_aloud(opened, render_options, gain_db, wanted.device, quiet=as_json)
    if written.skipped:
        context.exit(1)


def play_aloud(
    opened: OpenPlan,
    render_options: RenderOptions,
    gain_db: float,
    device: str | None,
    *,
    quiet: bool,
) -> None:
    """Play on the loudspeaker, and report interruptions."""
    from playback.outputs import listen

    with progress_bar("playing", quiet=quiet) as progress:
        played = listen(opened, render_options, gain_db=gain_db, device=device, progress=progress)
    if played.underruns:
        echo_line(
            f"playback was interrupted {played.underruns} times: the machine was too busy",
            err=True,
        )


def show_plan(
    plan: Path, root: MovedRoot, wanted: Wanted, asked: JoinsAndFile, *, as_json: bool
) -> None:
    """List a plan's steps."""
    from demiurge.cli.plan_table import echo_plan, plan_facts
    from playback.plan import Plan

    if wanted.makes_something:
        raise ParameterError(
            "--show only lists the plan; leave out -o, --play, --export, --stems and --picture"
        )
    loaded = Plan.load(plan)
    crossfade = asked.render_options(loaded.settings).crossfade
    facts = plan_facts(loaded, plan, crossfade, root)
    if as_json:
        echo_json(facts)
    else:
        echo_plan(facts)


def check_request(wanted: Wanted) -> None:
    """Refuse requests for nothing, for a picture without OUT, or without a loudspeaker."""
    from playback.devices import check_output_device

    if wanted.picture and not wanted.out:
        raise ParameterError(
            f"--picture {wanted.picture} shows what is rendered; give -o OUT as well"
        )
    if wanted.stems_by != "source" and not wanted.stems:
        raise ParameterError(
            f"--stems-by {wanted.stems_by} says what has a stem; give --stems FOLDER as well"
        )
    if not wanted.makes_something:
        raise ParameterError("nothing to do; give -o OUT, --play, --show, --export or --stems")
    if wanted.play:
        check_output_device(wanted.device)


def check_decoded(wanted: Wanted) -> None:
    """Refuse --decode for what is not OUT: only the whole is decoded."""
    if wanted.play or wanted.stems:
        raise ParameterError(
            "--decode sounds the whole in OUT; leave out --play and --stems, or write them without"
            " --decode"
        )
    if not wanted.out:
        raise ParameterError("--decode says how OUT sounds; give -o OUT as well")


def check_outputs(
    plan: Path, loaded: Plan, outputs: Outputs, output: OutputOptions, *, force: bool
) -> None:
    """Refuse outputs that cannot be written or would overwrite something."""
    check_formats(loaded, outputs, output)
    if outputs.stems and outputs.stems.exists() and not outputs.stems.is_dir():
        raise ParameterError(f"--stems {outputs.stems} is a file; give the name of a folder")
    for path in outputs.files(loaded):
        if os.path.realpath(path) == os.path.realpath(plan):
            raise ParameterError(f"{path} is the plan itself; give another name")
        is_stem = outputs.stems is not None and path.parent == outputs.stems
        check_output(path, force=force, folder_is_made=is_stem)


def check_formats(loaded: Plan, outputs: Outputs, output: OutputOptions) -> None:
    """Refuse options for files that are not written, and formats that cannot hold the bits."""
    from audio.formats import check_output_format

    if not outputs.out and (output.lufs, output.true_peak_db) != (None, None):
        raise ParameterError(
            "--lufs and --true-peak say how loud OUT is written; give -o OUT as well"
        )
    given = "--bits" if output.bits else "--loop" if output.loop else ""
    if given and not (outputs.out or outputs.stems):
        raise ParameterError(
            f"{given} says how OUT and the stems are written; give -o OUT or --stems as well"
        )
    if outputs.out:
        check_output_format(
            outputs.out, output.bits, sample_rate=loaded.sample_rate, channels=loaded.channels
        )


def written_facts(plan: Plan, written: WrittenOutputs) -> dict[str, Any]:
    """Return the facts that --json prints about the files that were written."""
    return {
        "files": [str(path) for path in written.files],
        "skipped": written.skipped,
        "samples": plan.n_samples,
        "seconds": plan.n_samples / plan.sample_rate,
        "steps": written.n_steps,
        "plan": plan.identity,
        **(level_facts(written.summary) if written.summary else {}),
    }


def echo_written(plan: Plan, written: WrittenOutputs, out: Path | None, lufs: float | None) -> None:
    """Print the files that were written, and what was left out."""
    if out and written.summary:
        echo_line(f"{out}: {plan.n_samples / plan.sample_rate:.2f} s, {written.n_steps} units")
        for note in level_notes(written.summary, lufs):
            echo_line(f"  {note}")
    for path in written.files:
        if path != out:
            echo_line(str(path))
    for source, problem in written.skipped.items():
        echo_line(f"skipped {source}{silence_text(plan, source)}: {problem}", err=True)


def silence_text(plan: Plan, source: str) -> str:
    """Return how much is silent because a source is missing; "" if it is a single step."""
    lengths = [step.n_samples for step in plan.steps if step.source == source]
    if not lengths:
        return ""
    steps = "1 step" if len(lengths) == 1 else f"{len(lengths)} steps"
    return f" ({steps}, {sum(lengths) / plan.sample_rate:.2f} s)"
