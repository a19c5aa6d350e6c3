"""demiurge synth evaluate infilling: measure how well a flow fills gaps in recordings."""

from __future__ import annotations

from pathlib import Path

import click

from demiurge.cli.options.command import command
from demiurge.cli.options.models import (
    audio_argument,
    exit_if_left_out,
    generator_argument,
    load_generator,
    load_vocoder,
    musicnn_option,
    vocoder_argument,
)
from demiurge.cli.options.output import json_option, random_seed_option
from demiurge.cli.options.paths import ANY_PATH
from demiurge.cli.synth_evaluation_report import echo_infilling
from demiurge.cli.terminal import echo_json, progress_bar


@command(
    "infilling",
    examples=(
        "demiurge synth evaluate infilling my.flow my.vocoder validation_sounds",
        "demiurge synth evaluate infilling my.flow shipped validation_sounds --copy-from my_sounds"
        " --spans 100 --json",
    ),
)
@generator_argument
@vocoder_argument
@audio_argument
@click.option(
    "--copy-from",
    type=ANY_PATH,
    help="Copy passages from the audio below this folder. [default: other files of AUDIO_DIR]",
)
@click.option(
    "--spans",
    type=click.IntRange(4),
    default=60,
    show_default=True,
    help="How many spans to fill, or all if there are fewer.",
)
@musicnn_option
@random_seed_option()
@json_option
def evaluate_infilling(
    generator_dir: Path,
    vocoder_dir: Path,
    audio_dir: Path,
    copy_from: Path | None,
    spans: int,
    musicnn: Path | None,
    random_seed: int,
    as_json: bool,
) -> None:
    """Let a flow fill spans of 1 s in recordings that it was not trained on.

    The spans lie in the middle of 9 s of the audio below AUDIO_DIR. The same spans are also filled
    with the passage whose surroundings are nearest. Needs the package musicnn.
    """
    from synth.evaluate_infilling import evaluate_infilling as fill_spans
    from synth.evaluate_infilling import filling
    from synth.musicnn import Musicnn

    embedding = Musicnn.find(musicnn)
    generator = load_generator(generator_dir)
    vocoder = load_vocoder(vocoder_dir, generator.mel).prepare()
    generator.mel.check_matches(vocoder.mel, mine="the generator", theirs="the vocoder")
    with progress_bar("evaluating", quiet=as_json) as progress:
        report = fill_spans(
            filling(generator, str(generator_dir)),
            vocoder,
            audio_dir,
            copy_from=copy_from,
            spans=spans,
            random_seed=random_seed,
            embedding=embedding,
            progress=progress,
        )
    if as_json:
        echo_json(report.to_dict())
    else:
        echo_infilling(audio_dir, report)
    exit_if_left_out(report.left_out)
