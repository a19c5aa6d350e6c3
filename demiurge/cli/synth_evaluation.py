"""demiurge synth evaluate: measure vocoders, generators and folders of audio."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

import click

from demiurge.cli.options.command import Group, command
from demiurge.cli.options.models import (
    audio_argument,
    exit_if_left_out,
    generator_argument,
    load_generator,
    load_vocoder,
    musicnn_option,
    vocoder_argument,
)
from demiurge.cli.options.output import (
    check_output,
    force_option,
    json_option,
    random_seed_option,
)
from demiurge.cli.options.paths import ANY_PATH, FILE_PATH
from demiurge.cli.synth_evaluation_infilling import evaluate_infilling
from demiurge.cli.synth_evaluation_report import echo_folders, echo_generator, echo_vocoders
from demiurge.cli.terminal import echo_json, echo_line, progress_bar
from files.errors import ParameterError

if TYPE_CHECKING:
    from synth.musicnn import Musicnn

minutes_option = click.option(
    "--minutes",
    type=click.FloatRange(0, min_open=True),
    default=10.0,
    show_default=True,
    help="How much audio in each set, in minutes.",
)


@click.group(cls=Group)
def evaluate() -> None:
    """Measure how good vocoders, generators and what they made are."""


@command(
    "vocoder",
    examples=(
        "demiurge synth evaluate vocoder my.vocoder shipped validation_sounds",
        "demiurge synth evaluate vocoder my.vocoder validation_sounds --seconds 300 --picture"
        " mels.png --json",
    ),
)
@click.argument("vocoder_dirs", metavar="VOCODER…", nargs=-1, required=True, type=ANY_PATH)
@audio_argument
@click.option(
    "--seconds",
    type=click.FloatRange(6),
    default=120.0,
    show_default=True,
    help="How much audio to measure on, in seconds, or all if there is less.",
)
@click.option(
    "--picture",
    type=FILE_PATH,
    help="Write the spectrograms of one excerpt to this PNG.",
)
@musicnn_option
@random_seed_option()
@force_option
@json_option
def evaluate_vocoder(
    vocoder_dirs: tuple[Path, ...],
    audio_dir: Path,
    seconds: float,
    picture: Path | None,
    musicnn: Path | None,
    random_seed: int,
    force: bool,
    as_json: bool,
) -> None:
    """Compare audio with its copies made by VOCODERs.

    They should not have been trained on the audio below AUDIO_DIR. Griffin-Lim is measured beside
    them. Distances of embeddings and tags are left out if musicnn is not installed.
    """
    from synth.evaluate_vocoder import evaluate_vocoders

    if picture:
        check_output(picture, force=force)
    embedding = find_embedding(musicnn)
    vocoders = {str(name): load_vocoder(name).prepare() for name in vocoder_dirs}
    with progress_bar("evaluating", quiet=as_json) as progress:
        report = evaluate_vocoders(
            vocoders,
            audio_dir,
            seconds=seconds,
            random_seed=random_seed,
            embedding=embedding,
            picture=picture,
            progress=progress,
        )
    if as_json:
        echo_json([score.to_dict() for score in report.scores])
    else:
        echo_vocoders(audio_dir, report.scores)
    exit_if_left_out(report.left_out)


@command(
    "generator",
    examples=(
        "demiurge synth evaluate generator my.generator my.vocoder my_sounds",
        "demiurge synth evaluate generator shipped shipped piano --other rock=rock_songs --other"
        " drums=loops --minutes 20",
    ),
)
@generator_argument
@vocoder_argument
@audio_argument
@click.option(
    "--other",
    "others",
    multiple=True,
    metavar="NAME=DIR",
    help="Also compare with this audio, shown under a name; repeatable.",
)
@minutes_option
@musicnn_option
@random_seed_option()
@json_option
def evaluate_generator(
    generator_dir: Path,
    vocoder_dir: Path,
    audio_dir: Path,
    others: tuple[str, ...],
    minutes: float,
    musicnn: Path | None,
    random_seed: int,
    as_json: bool,
) -> None:
    """Compare generated audio with the audio that GENERATOR was trained on.

    GENERATOR and VOCODER make as much audio as there is below AUDIO_DIR, up to --minutes. Sets
    that bound its distance from below, and others that it must beat, are shown beside it. Needs
    the package musicnn.
    """
    from synth.evaluate_generator import evaluate_generator as evaluate_clips
    from synth.musicnn import Musicnn

    folders = named_folders(others)
    embedding = Musicnn.find(musicnn)
    generator = load_generator(generator_dir)
    vocoder = load_vocoder(vocoder_dir, generator.mel).prepare()
    with progress_bar("evaluating", quiet=as_json) as progress:
        report = evaluate_clips(
            generator,
            vocoder,
            audio_dir,
            others=folders,
            minutes=minutes,
            random_seed=random_seed,
            embedding=embedding,
            progress=progress,
        )
    if as_json:
        echo_json(report.to_dict())
    else:
        echo_generator(audio_dir, report)
    exit_if_left_out(report.left_out)


@command(
    "folders",
    examples=(
        "demiurge synth evaluate folders my_sounds generated",
        "demiurge synth evaluate folders piano_songs generated more_generated rock_songs --minutes"
        " 5 --json",
    ),
)
@click.argument("reference_dir", metavar="REFERENCE", type=ANY_PATH)
@click.argument("audio_dirs", metavar="AUDIO_DIR…", nargs=-1, required=True, type=ANY_PATH)
@minutes_option
@musicnn_option
@random_seed_option()
@json_option
def evaluate_folders(
    reference_dir: Path,
    audio_dirs: tuple[Path, ...],
    minutes: float,
    musicnn: Path | None,
    random_seed: int,
    as_json: bool,
) -> None:
    """Compare the audio below each AUDIO_DIR with that below REFERENCE.

    Half of the reference is compared with its other half. Of each folder, as much is used as the
    shortest has. Needs the package musicnn.
    """
    from synth.evaluate_folders import evaluate_folders as compare
    from synth.musicnn import Musicnn

    embedding = Musicnn.find(musicnn)
    with progress_bar("evaluating", quiet=as_json) as progress:
        report = compare(
            reference_dir,
            list(audio_dirs),
            minutes=minutes,
            random_seed=random_seed,
            embedding=embedding,
            progress=progress,
        )
    if as_json:
        echo_json(report.to_dict())
    else:
        echo_folders(reference_dir, report)
    exit_if_left_out(report.left_out)


def find_embedding(folder: Path | None) -> Musicnn | None:
    """Return MusiCNN from a folder or as installed; None if it is not found."""
    from synth.musicnn import Musicnn

    if folder is None and importlib.util.find_spec("musicnn") is None:
        echo_line(
            "FAD, KAD and tags are left out; for them: pip install --no-deps musicnn==0.1.0, or"
            " --musicnn DIR",
            err=True,
        )
        return None
    return Musicnn.find(folder)


def named_folders(others: tuple[str, ...]) -> dict[str, Path]:
    """Return folders by name, from texts like NAME=DIR.

    Raises
    ------
    ParameterError
        If a text has another form, or a name is repeated.
    """
    folders: dict[str, Path] = {}
    for other in others:
        name, equals, folder = other.partition("=")
        if not (name and equals and folder) or name in folders:
            raise ParameterError(f"--other {other} must be NAME=DIR, each with another name")
        folders[name] = Path(folder)
    return folders


for part in (evaluate_vocoder, evaluate_generator, evaluate_folders, evaluate_infilling):
    evaluate.add_command(part)
