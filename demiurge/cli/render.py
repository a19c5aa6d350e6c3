"""demiurge render and demiurge mosaic: make a WAV from units of a corpus."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from demiurge.cli.options.cluster import cluster_option
from demiurge.cli.options.command import command
from demiurge.cli.options.databases import databases_options
from demiurge.cli.options.joins import render_options as render_options_group
from demiurge.cli.options.output import (
    audio_out_option,
    check_audio_output,
    check_output,
    force_option,
    json_option,
)
from demiurge.cli.options.paths import ANY_PATH
from demiurge.cli.options.roots import roots_option
from demiurge.cli.options.sampling import (
    accompanied_option,
    forecast_option,
    scoring_options,
)
from demiurge.cli.options.search import mosaic_domains, mosaic_search, render_search, units_option
from demiurge.cli.render_report import echo_results
from demiurge.cli.terminal import progress_bar
from files.errors import ParameterError
from query.names import MOST_TRANSPOSE

if TYPE_CHECKING:
    from demiurge.cli.options.databases import Databases
    from demiurge.cli.options.roots import MovedRoot
    from demiurge.domains import Domains
    from playback.options import RenderOptions
    from query.settings import SearchSettings
    from sequencer.sampling import SamplingOptions

DEFAULT_SECONDS = 10.0


@command(
    examples=(
        "demiurge render seed.wav my.db my.model -o out.wav",
        "demiurge render seed.wav my.db my.model -o out.wav --seconds 20 --random-seed 7"
        " --temperature 0.8",
        "demiurge render guitar.wav my.db my.model -o out.wav --with band.wav --source '*guitar*'",
        "demiurge render seed.wav my.model --db drums.db --db strings.db -o out.wav --weight"
        " strings=0.5",
    )
)
@click.argument("seed", type=ANY_PATH)
@databases_options
@cluster_option
@click.argument("model", metavar="MODEL", required=False, type=ANY_PATH)
@audio_out_option
@forecast_option(
    "--seconds",
    type=click.FloatRange(0, min_open=True),
    default=DEFAULT_SECONDS,
    show_default=True,
    help="How long to go on, in seconds; with --loop rounded to bars of four beats.",
)
@scoring_options
@accompanied_option
@units_option(
    "--include-seed",
    is_flag=True,
    help="Play parts of SEED itself as well; conditions on units do not apply to it.",
)
@units_option(
    "--transpose",
    type=click.IntRange(0, MOST_TRANSPOSE),
    default=0,
    show_default=True,
    metavar="SEMITONES",
    help="How far sources may be transposed towards the key of SEED; needs a database with chroma.",
)
@render_search
@render_options_group
@roots_option
@force_option
@json_option
def render(
    seed: Path,
    databases: Databases,
    model: Path | None,
    seconds: float,
    sampling: SamplingOptions,
    accompanied: Path | None,
    include_seed: bool,
    transpose: int,
    search: SearchSettings,
    render_options: RenderOptions,
    out: Path,
    root: MovedRoot,
    force: bool,
    as_json: bool,
) -> None:
    """Continue SEED with units of DB, which MODEL chooses and hears.

    They are chosen from passages that sound like the end of SEED. If SEED has a pulse and the
    units are parts of beats, it goes on in its tempo.

    The plan is written beside OUT, as OUT.plan.json.
    """
    from demiurge.pipeline import render_continuation

    if model is None:
        raise click.UsageError("Missing argument 'MODEL'.")
    check_outputs(seed, out, search.variations, render_options.output.bits, force=force)
    with progress_bar("rendering", quiet=as_json) as progress:
        results = render_continuation(
            seed,
            databases.open(root, progress),
            model,
            out,
            seconds=seconds,
            sampling=sampling,
            search=search,
            accompanied=accompanied,
            include_seed=include_seed,
            transpose=transpose,
            render_options=render_options,
            progress=progress,
        )
    echo_results(results, render_options.output, None if include_seed else seed, as_json=as_json)


@command(
    examples=(
        "demiurge mosaic voice.wav my.db -o out.wav",
        "demiurge mosaic voice.wav my.db -o out.wav --continuity 0",
        "demiurge mosaic voice.wav my.db -o out.wav --min-reuse 2 --max-run 1 --path-temperature"
        " 0.1 --random-seed 3",
        "demiurge mosaic voice.wav my.db -o out.wav --variations 4 --source 'drums/*' --where"
        " 'mfcc0>-200'",
        "demiurge mosaic voice.wav my.db --db more=other.db -o out.wav --source 'more:*'",
    )
)
@click.argument("target", type=ANY_PATH)
@databases_options
@cluster_option
@audio_out_option
@mosaic_search
@mosaic_domains
@render_options_group
@roots_option
@force_option
@json_option
def mosaic(
    target: Path,
    databases: Databases,
    search: SearchSettings,
    domains: Domains,
    render_options: RenderOptions,
    out: Path,
    root: MovedRoot,
    force: bool,
    as_json: bool,
) -> None:
    """Rebuild TARGET out of units of DB, without a forecast.

    The plan is written beside OUT, as OUT.plan.json.
    """
    from demiurge.pipeline import render_mosaic

    check_outputs(target, out, search.variations, render_options.output.bits, force=force)
    with progress_bar("rendering", quiet=as_json) as progress:
        results = render_mosaic(
            target,
            databases.open(root, progress),
            out,
            search=search,
            domains=domains,
            render_options=render_options,
            progress=progress,
        )
    echo_results(results, render_options.output, target, as_json=as_json)


def check_outputs(
    given: Path, out: Path, variations: int, bits: str | None, *, force: bool
) -> None:
    """Check that the outputs can be written and would not overwrite the file given.

    Raises
    ------
    ParameterError
        If they cannot, or would.
    """
    from demiurge.results import plan_path, variation_paths

    for path in variation_paths(out, variations):
        if os.path.realpath(given) in map(os.path.realpath, (path, plan_path(path))):
            raise ParameterError(f"{given} would be written over; give another name with -o")
        check_audio_output(path, force=force, bits=bits)
        check_output(plan_path(path), force=force)
