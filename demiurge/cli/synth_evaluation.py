"""demiurge synth evaluate: measure vocoders and generators."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

import click

from demiurge.cli.options.command import Group, command
from demiurge.cli.options.models import (
    audio_argument,
    echo_left_out,
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
from demiurge.cli.terminal import echo_json, echo_table, progress_bar
from files.errors import ParameterError

if TYPE_CHECKING:
    from synth.evaluate_generator import GeneratorReport
    from synth.evaluate_vocoder import VocoderScore
    from synth.musicnn import Musicnn

BIASED = (
    "  FAD of so few windows is too high: compare rows of this table only, or measure on more audio"
)


@click.group(cls=Group)
def evaluate() -> None:
    """Measure how good vocoders and generators are."""


@command(
    "vocoder",
    examples=(
        "demiurge synth evaluate vocoder my.vocoder shipped validation_sounds",
        "demiurge synth evaluate vocoder my.vocoder validation_sounds --seconds 300 --picture"
        " mels.png --json",
    ),
)
@click.argument(
    "vocoder_dirs", metavar="VOCODER…", nargs=-1, required=True, type=click.Path(path_type=Path)
)
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
    type=click.Path(path_type=Path),
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
    them. The Fréchet distance of embeddings (FAD) is left out if musicnn is not installed.
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
        echo_scores(audio_dir, report.scores, with_fad=embedding is not None)
    exit_if_left_out(report.left_out)


def echo_scores(audio_dir: Path, scores: list[VocoderScore], *, with_fad: bool) -> None:
    """Print a row for each vocoder."""
    fad = ["FAD", "windows"] if with_fad else []
    speed = f"× real time (threads: {scores[0].threads})"
    rows = []
    for score in scores:
        row = [score.name, number_text(score.mel_l1, 3), number_text(score.stft, 3)]
        if with_fad:
            row += [number_text(score.fad, 3), number_text(score.windows, 0)]
        rows.append([*row, number_text(score.real_time, 1)])
    title = f"{audio_dir}: distance from the original audio; lower is better"
    echo_table(title, ["vocoder", "mel L1", "STFT", *fad, speed], rows)
    if any(score.fad_is_biased for score in scores):
        click.echo(BIASED)


def number_text(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


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
@click.option(
    "--minutes",
    type=click.FloatRange(0, min_open=True),
    default=10.0,
    show_default=True,
    help="How much audio in each set, in minutes.",
)
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
        echo_report(audio_dir, report)
    exit_if_left_out(report.left_out)


def echo_report(audio_dir: Path, report: GeneratorReport) -> None:
    """Print the distances, and figures for monotony and copying."""
    rows = [[name, f"{fad:.3f}"] for name, fad in report.fad.items()]
    title = f"{audio_dir}: {report.clips} clips of each set; lower is better"
    echo_table(title, ["set", "FAD"], rows)
    click.echo(
        "  best possible: recordings, other half; nothing learnt: their frames in random order, and"
        " white noise"
    )
    found = report.diversity
    click.echo(
        f"  spread of clips: {found.spread:.3f}, of recordings: {found.recorded_spread:.3f}; much"
        " less means monotony"
    )
    click.echo(
        f"  nearest recording: {found.nearest:.3f} (at least {found.closest:.3f}), from another"
        f" recording: {found.recorded_nearest:.3f} (at least {found.recorded_closest:.3f}); much"
        " less means copying"
    )
    if report.fad_is_biased:
        click.echo(BIASED)


def exit_if_left_out(left_out: dict[str, str]) -> None:
    """Print the audio files that could not be used; if there are any, exit with 1."""
    echo_left_out(left_out)
    if left_out:
        raise SystemExit(1)


def find_embedding(folder: Path | None) -> Musicnn | None:
    """Return MusiCNN from a folder or as installed; None if it is not found."""
    from synth.musicnn import Musicnn

    if folder is None and importlib.util.find_spec("musicnn") is None:
        click.echo(
            "FAD is left out; for it: pip install --no-deps musicnn==0.1.0, or --musicnn DIR",
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


for part in (evaluate_vocoder, evaluate_generator):
    evaluate.add_command(part)
