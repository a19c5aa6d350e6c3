"""demiurge infill: keep a part of a plan, or of audio; a masked model fills in the rest."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from audio.decibels import to_decibels
from demiurge.cli.options.command import command, option, option_group
from demiurge.cli.options.databases import Databases, more_databases_options
from demiurge.cli.options.output import (
    check_audio_output,
    check_output,
    force_option,
    json_option,
    random_seed_option,
)
from demiurge.cli.options.paths import ANY_PATH, FILE_PATH
from demiurge.cli.options.roots import MovedRoot, roots_option
from demiurge.cli.options.sampling import make_sampling
from demiurge.cli.render_report import level_facts, level_notes, lowered
from demiurge.cli.terminal import echo_json, echo_line, progress_bar
from files.errors import ParameterError
from files.names import quoted
from sequencer.names import PROMPT_FORMS

if TYPE_CHECKING:
    from demiurge.infill import InfillResult
    from demiurge.infill_audio import AudioInfill
    from sequencer.infill import InfillOptions

THE_FILLING = "The filling"
filling_option = partial(option, heading=THE_FILLING)


def make_infill_options(
    temperature: float, top_p: float, passes: int, mask_temperature: float, random_seed: int
) -> InfillOptions:
    """Return `InfillOptions` from the command's options."""
    from sequencer.infill import InfillOptions

    return InfillOptions(make_sampling(temperature, random_seed, top_p), passes, mask_temperature)


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
        "demiurge infill loop.wav codec.masked -o varied.wav --keep onsets:2",
    )
)
@click.argument("given", metavar="PLAN|AUDIO", type=ANY_PATH)
@click.argument("others", metavar="[DB] MODEL", nargs=-1, required=True, type=ANY_PATH)
@more_databases_options
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
@roots_option
@force_option
@json_option
def infill(
    given: Path,
    others: tuple[Path, ...],
    prompts: tuple[str, ...],
    variations: int,
    options: InfillOptions,
    out: Path,
    more: Databases,
    root: MovedRoot,
    force: bool,
    as_json: bool,
) -> None:
    """Keep a part of PLAN or AUDIO, and let MODEL fill in the rest.

    MODEL is trained by demiurge sequencer train --architecture masked. What any PROMPT keeps is
    kept, and what is locked; of codebooks:N only the lowest levels.

    For the steps of PLAN that are not kept, units of DB are chosen for what MODEL fills in. Steps
    keep their places and lengths.

    AUDIO needs no DB: its frames are tokens of a codec, which decodes what MODEL fills in. MODEL is
    trained on a database of that codec's frames alone.
    """
    from sequencer.prompts import parse_prompts

    is_plan = given.name.lower().endswith(".json")
    check_others(others, more, is_plan=is_plan, root=root)
    outputs = check_outputs(given, out, variations, is_plan=is_plan, force=force)
    parsed = parse_prompts(prompts)
    results: Sequence[InfillResult | AudioInfill]
    with progress_bar("filling", quiet=as_json) as progress:
        if is_plan:
            from demiurge.infill import infill_file

            *first, model = others
            results = infill_file(
                given,
                more.behind(first).open(root, progress),
                model,
                outputs,
                prompts=parsed,
                options=options,
                progress=progress,
            )
        else:
            from demiurge.infill_audio import infill_audio

            (model,) = others
            results = infill_audio(
                given, model, outputs, prompts=parsed, options=options, progress=progress
            )
    echo_results(results, as_json=as_json)


def check_others(
    others: tuple[Path, ...], more: Databases, *, is_plan: bool, root: MovedRoot
) -> None:
    """Check that a plan comes with databases and a model, audio with a model alone.

    Raises
    ------
    ParameterError
        If it does not, or the corpus of audio is said to have moved.
    """
    if is_plan and len(others) != 2 and not (len(others) == 1 and more.specs):
        raise ParameterError("a plan needs a database and a model: demiurge infill PLAN DB MODEL")
    if not is_plan and (len(others) != 1 or more.specs):
        raise ParameterError(
            "audio needs a model and no database: demiurge infill AUDIO MODEL; the name of a plan"
            " ends with .json"
        )
    if not is_plan and root:
        raise ParameterError(f"--root {root} is of a plan's corpus; leave it out")


def check_outputs(
    given: Path, out: Path, variations: int, *, is_plan: bool, force: bool
) -> list[Path]:
    """Return the outputs, after checking that they can be written over nothing of value.

    Raises
    ------
    ParameterError
        If they cannot.
    """
    from demiurge.infill import is_plan as is_plan_name
    from demiurge.infill import output_paths
    from demiurge.results import plan_path

    outputs = output_paths(out, variations)
    for path in outputs:
        files = [path] if is_plan_name(path) or not is_plan else [path, plan_path(path)]
        if os.path.realpath(given) in map(os.path.realpath, files):
            raise ParameterError(f"{given} would be written over; give another name with -o")
        if not (is_plan and is_plan_name(path)):
            check_audio_output(path, force=force)
        for file in files:
            check_output(file, force=force)
    return outputs


def echo_results(results: Sequence[InfillResult | AudioInfill], *, as_json: bool) -> None:
    """Print the files that were written, and how much was filled in."""
    from demiurge.infill import InfillResult

    facts = [
        plan_facts(one) if isinstance(one, InfillResult) else audio_facts(one) for one in results
    ]
    if as_json:
        echo_json(facts[0] if len(facts) == 1 else facts)
        return
    for one in results:
        for line in plan_lines(one) if isinstance(one, InfillResult) else audio_lines(one):
            echo_line(line)


def plan_facts(result: InfillResult) -> dict[str, Any]:
    """Return the facts that --json prints about a plan."""
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


def plan_lines(result: InfillResult) -> list[str]:
    """Return what is printed about a plan."""
    plan = result.plan
    file = result.plan_file
    return [
        f"{result.wav or file}: {plan.n_samples / plan.sample_rate:.2f} s of {len(plan.steps)}"
        f" units; {result.n_kept} kept, {result.n_changed} of the others changed",
        *(f"  {note}" for note in (level_notes(result.summary) if result.summary else [])),
        f"{file}: the plan; render it with: demiurge playback {quoted(file)} -o NEW.wav",
    ]


def audio_facts(result: AudioInfill) -> dict[str, Any]:
    """Return the facts that --json prints about audio."""
    return {
        "wav": str(result.wav),
        "samples": result.n_samples,
        "seconds": result.n_samples / result.sample_rate,
        "steps": result.n_steps,
        "kept": result.n_kept,
        "tokens": result.n_tokens,
        "kept_tokens": result.n_kept_tokens,
        "codec": result.codec,
        "licence": result.licence,
        "gain_db": to_decibels(result.gain),
    }


def audio_lines(result: AudioInfill) -> list[str]:
    """Return what is printed about audio."""
    n_filled = result.n_tokens - result.n_kept_tokens
    return [
        f"{result.wav}: {result.n_samples / result.sample_rate:.2f} s of {result.n_steps} frames of"
        f" {result.codec}; {result.n_kept} kept, {n_filled} of {result.n_tokens} tokens filled in"
        f"{lowered(to_decibels(result.gain))}",
    ]
