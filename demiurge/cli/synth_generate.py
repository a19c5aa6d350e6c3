"""demiurge synth generate: fill a folder with generated audio."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from demiurge.cli.options.command import command, option, option_group
from demiurge.cli.options.file_request import file_request_options
from demiurge.cli.options.models import load_generator, load_vocoder
from demiurge.cli.options.output import force_option, json_option, random_seed_option
from demiurge.cli.options.paths import ANY_PATH
from demiurge.cli.options.training import device_option, precision_option
from demiurge.cli.terminal import counted, echo_json, echo_line, progress_bar
from training.names import PRECISIONS

if TYPE_CHECKING:
    from synth.file_request import FileRequest
    from synth.fill_folder import GenerateSummary
    from synth.generate import GenerateOptions

Fill = Callable[..., "GenerateSummary"]


def make_options(
    minutes: float | None, seconds: float | None, random_seed: int, workers: int | None
) -> GenerateOptions:
    """Return `GenerateOptions` from the command's options."""
    from synth.generate import GenerateOptions

    return GenerateOptions(
        minutes=minutes, seconds=seconds, random_seed=random_seed, workers=workers
    )


THE_FILES = "The files"
plugin_option = partial(option, heading="A published generator")
files_option = partial(option, heading=THE_FILES)
generate_options = option_group(
    files_option(
        "--minutes",
        type=click.FloatRange(0, min_open=True),
        help="How much new sound to make, in minutes, rounded up to whole files. [default: one"
        " file]",
    ),
    files_option(
        "--seconds",
        type=click.FloatRange(0, min_open=True),
        help="Length of the new sound in each file, in seconds. [default: 30, or as long as what is"
        " followed]",
    ),
    random_seed_option(THE_FILES),
    files_option(
        "--workers",
        type=click.IntRange(1),
        help="Number of files made at a time. [default: one per processor]",
    ),
    into="options",
    make=make_options,
)


@command(
    examples=(
        "demiurge synth generate shipped shipped generated --minutes 30",
        "demiurge synth generate my.generator my.vocoder generated --minutes 600 --seconds 60"
        " --random-seed 3",
        "demiurge synth generate my.generator my.vocoder more --continue song.wav --seconds 20",
        'demiurge synth generate --with transformers:musicgen-small rain --prompt "rain on glass"',
        "demiurge synth generate --with rave:strings.ts --prior strings_prior.ts strings",
    )
)
@click.argument("paths", metavar="[GENERATOR VOCODER] OUT_DIR", nargs=-1, type=ANY_PATH)
@generate_options
@plugin_option(
    "--with",
    "plugin",
    metavar="KIND:PATH",
    help="Generate with a published model on this machine, in place of GENERATOR and VOCODER:"
    " transformers:DIR, diffusers:DIR or rave:FILE.",
)
@plugin_option(
    "--prior",
    metavar="FILE",
    type=ANY_PATH,
    help="The prior of an export of RAVE. [default: the one inside the export]",
)
@plugin_option("--prompt", metavar="TEXT", help="What it should sound like, in words.")
@file_request_options
@precision_option()
@device_option()
@force_option
@json_option
def generate(
    paths: tuple[Path, ...],
    options: GenerateOptions,
    plugin: str | None,
    prior: Path | None,
    prompt: str | None,
    request: FileRequest,
    precision: str,
    device: str,
    force: bool,
    as_json: bool,
) -> None:
    """Fill OUT_DIR with audio by a generator and a vocoder, or by a published generator.

    It can be interrupted at any time: the same command continues, and more --minutes add files.
    With --force, files generated there with other options or models are replaced.

    A flow can also go on from a sound, fill a gap in one, and make sound in the style of others. Of
    published generators, some go on from a sound, and MusicGen-Melody follows a melody. An export
    of RAVE needs a prior, inside it or as --prior; without one, see synth resynth.
    """
    request = replace(request, prompt=prompt)
    if plugin is None:
        if prior is not None:
            raise click.UsageError("--prior goes with --with rave:FILE")
        fill = by_models(paths, precision, device)
    else:
        fill = by_plugin(plugin, prior, paths, precision, device, quiet=as_json)
    out = paths[-1]
    try:
        with progress_bar("generating", quiet=as_json) as progress:
            summary = fill(out, options=options, request=request, force=force, progress=progress)
    except KeyboardInterrupt:
        raise click.ClickException(
            f"interrupted; the finished files are kept in {out}. Run the same command to continue"
        ) from None
    if as_json:
        echo_json({"folder": str(out), **asdict(summary)})
    else:
        echo_summary(out, summary)
    if summary.failed:
        raise SystemExit(1)


def by_models(paths: tuple[Path, ...], precision: str, device: str) -> Fill:
    """Return the function that fills a folder by a generator and a vocoder."""
    from synth.generate import generate as generate_audio
    from training.distributed import Distributed

    if len(paths) != 3:
        raise click.UsageError(
            "give GENERATOR, VOCODER and OUT_DIR; or OUT_DIR alone, and a published generator with"
            " --with"
        )
    names = (paths[0].absolute().name, paths[1].absolute().name)
    torch_device = Distributed().device(device)
    generator = load_generator(paths[0]).to(torch_device)
    vocoder = load_vocoder(paths[1], generator.mel)
    vocoder.prepare(precision=precision, device=torch_device)
    return partial(generate_audio, generator, vocoder, names=names)


def by_plugin(
    spec: str,
    prior: Path | None,
    paths: tuple[Path, ...],
    precision: str,
    device: str,
    *,
    quiet: bool,
) -> Fill:
    """Return the function that fills a folder by a published generator; print its licence."""
    from synth.plugins.folder import licence_line
    from synth.plugins.generate import generate_with
    from synth.plugins.open_plugin import open_plugin
    from training.distributed import Distributed

    if len(paths) != 1:
        raise click.UsageError("with --with, give OUT_DIR alone; it takes no GENERATOR and VOCODER")
    if precision != PRECISIONS[0]:
        raise click.UsageError("--precision has no use with --with; leave it out")
    plugin = open_plugin(spec, prior=prior, device=str(Distributed().device(device)))
    if not quiet:
        echo_line(f"{plugin.name}: {licence_line(plugin.licence)}")
    return partial(generate_with, plugin)


def echo_summary(out: Path, summary: GenerateSummary) -> None:
    """Print how much was made, and which attempts and files failed."""
    made = f"{counted(summary.made, 'file')} made"
    if summary.made:
        made += f" in {summary.seconds:.1f} s, {summary.real_time:.0f} × real time"
    minutes = summary.audio_seconds / 60
    echo_line(f"{out}: {made}, {summary.kept} were there; {minutes:.1f} minutes of audio")
    for note in summary.notes:
        echo_line(f"  {note}")
    if summary.redone:
        reasons = ", ".join(f"{reason} ({count})" for reason, count in summary.redone.items())
        echo_line(f"  broken, and made again with other random numbers: {reasons}")
    for name in summary.failed:
        echo_line(f"  failed: {name}: broken with all random numbers that were tried", err=True)
