"""demiurge infill: keep a part of a plan, and choose the rest again by a masked model."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from demiurge.cli.options.command import command, option, option_group
from demiurge.cli.options.output import (
    check_audio_output,
    check_output,
    database_argument,
    force_option,
    json_option,
    random_seed_option,
    root_option,
)
from demiurge.cli.options.paths import ANY_PATH, FILE_PATH
from demiurge.cli.render_report import level_facts, level_notes
from demiurge.cli.terminal import echo_json, echo_line, progress_bar
from files.errors import ParameterError
from files.names import quoted
from sequencer.names import PROMPT_FORMS

if TYPE_CHECKING:
    from demiurge.infill import InfillResult
    from sequencer.infill import InfillOptions

THE_FILLING = "The filling"
filling_option = partial(option, heading=THE_FILLING)


def make_infill_options(
    temperature: float, top_p: float, passes: int, mask_temperature: float, random_seed: int
) -> InfillOptions:
    """Return `InfillOptions` from the command's options."""
    from sequencer.infill import InfillOptions
    from sequencer.sampling import SamplingOptions

    sampling = SamplingOptions(temperature=temperature, top_p=top_p, random_seed=random_seed)
    return InfillOptions(sampling, passes, mask_temperature)


filling_options = option_group(
    filling_option(
        "--temperature",
        type=click.FloatRange(0),
        default=1.0,
        show_default=True,
        help="Randomness of what is filled in: 1 as learned, less is calmer, 0 takes the"
        " likeliest.",
    ),
    filling_option(
        "--top-p",
        type=click.FloatRange(0, 1, min_open=True),
        default=1.0,
        show_default=True,
        help="Sample only from the likeliest choices that together have this probability.",
    ),
    filling_option(
        "--passes",
        type=click.IntRange(1, 1000),
        default=12,
        show_default=True,
        help="Times that the network is run; each settles what it is surest of.",
    ),
    filling_option(
        "--mask-temperature",
        type=click.FloatRange(0),
        default=10.5,
        show_default=True,
        help="Randomness of the order in which tokens are settled; 0 settles the surest first.",
    ),
    random_seed_option(THE_FILLING),
    into="options",
    make=make_infill_options,
)


@command(
    examples=(
        "demiurge infill out.plan.json my.db masked.model -o varied.wav --keep periodic:4",
        "demiurge infill out.plan.json my.db masked.model -o varied.plan.json --keep prefix:2"
        " --keep suffix:2 --variations 3",
    )
)
@click.argument("plan", type=ANY_PATH)
@database_argument
@click.argument("model", type=ANY_PATH)
@option(
    "-o",
    "--out",
    heading="The file",
    type=FILE_PATH,
    required=True,
    help="The plan to write, NAME.plan.json, or a WAV, FLAC or OGG file with its plan beside it.",
)
@filling_option(
    "--keep",
    "prompts",
    metavar="PROMPT",
    multiple=True,
    required=True,
    help=f"What is kept: {', '.join(PROMPT_FORMS.values())}; repeatable.",
)
@filling_option(
    "--variations",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Number of different results.",
)
@filling_options
@root_option
@force_option
@json_option
def infill(
    plan: Path,
    database: Path,
    model: Path,
    prompts: tuple[str, ...],
    variations: int,
    options: InfillOptions,
    out: Path,
    root: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Keep some steps of PLAN, and choose units of DB for the others again by MODEL.

    MODEL is trained by demiurge sequencer train --architecture masked. Steps keep their places and
    lengths. What any PROMPT keeps is kept, and what is locked; of codebooks:N only the lowest
    levels.
    """
    from demiurge.infill import infill_file, output_paths
    from sequencer.prompts import parse_prompts

    parsed = parse_prompts(prompts)
    outputs = output_paths(out, variations)
    check_outputs(plan, outputs, force=force)
    with progress_bar("filling", quiet=as_json) as progress:
        results = infill_file(
            plan,
            database,
            model,
            outputs,
            prompts=parsed,
            options=options,
            root=root,
            progress=progress,
        )
    if as_json:
        documents = [result_facts(result) for result in results]
        echo_json(documents[0] if len(documents) == 1 else documents)
        return
    for result in results:
        echo_result(result)


def check_outputs(plan: Path, outputs: list[Path], *, force: bool) -> None:
    """Check that the outputs can be written and would not overwrite the plan.

    Raises
    ------
    ParameterError
        If they cannot, or would.
    """
    from demiurge.infill import is_plan
    from demiurge.results import plan_path

    for out in outputs:
        plan_out = out if is_plan(out) else plan_path(out)
        if os.path.realpath(plan) == os.path.realpath(plan_out):
            raise ParameterError(f"{plan} would be written over; give another name with -o")
        if not is_plan(out):
            check_audio_output(out, force=force)
        check_output(plan_out, force=force)


def result_facts(result: InfillResult) -> dict[str, Any]:
    """Return the facts that --json prints about a result."""
    plan = result.plan
    return {
        "plan": str(result.plan_file),
        **({"wav": str(result.wav)} if result.wav else {}),
        "seconds": plan.n_samples / plan.sample_rate,
        "steps": len(plan.steps),
        "kept": result.n_kept,
        "changed": result.n_changed,
        **(level_facts(result.summary) if result.summary else {}),
    }


def echo_result(result: InfillResult) -> None:
    """Print the files that were written, and how much was chosen again."""
    plan = result.plan
    echo_line(
        f"{result.wav or result.plan_file}: {plan.n_samples / plan.sample_rate:.2f} s of"
        f" {len(plan.steps)} units; {result.n_kept} kept, {result.n_changed} of the others changed"
    )
    if result.summary:
        for note in level_notes(result.summary):
            echo_line(f"  {note}")
    echo_line(
        f"{result.plan_file}: the plan; render it with: demiurge playback"
        f" {quoted(result.plan_file)} -o NEW.wav"
    )
