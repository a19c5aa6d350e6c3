"""demiurge synth evaluate."""

import importlib.util
from pathlib import Path

import click

from demiurge.cli.options.models import (
    audio_argument,
    echo_left_out,
    load_generator,
    load_vocoder,
    musicnn_option,
    seed_option,
    unagan_argument,
    vocoder_argument,
)
from demiurge.cli.options.output import (
    check_output,
    echo_json,
    echo_table,
    force_option,
    json_option,
    progress_bar,
)
from files.errors import ParameterError


@click.group(
    epilog=(
        "\b\nExamples:\n  demiurge synth evaluate vocoder my.vocoder shipped validation_sounds\n"
        "  demiurge synth evaluate generator my.unagan my.vocoder my_sounds --other speech=talks"
    )
)
def evaluate() -> None:
    """Measure how good vocoders and generators are."""


@evaluate.command(
    "vocoder",
    epilog=(
        "\b\nExamples:\n  demiurge synth evaluate vocoder my.vocoder shipped validation_sounds\n "
        " demiurge synth evaluate vocoder my.vocoder validation_sounds --seconds 300 --picture"
        " mels.png --json"
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
    help="Of recordings to measure on, if there are.",
)
@seed_option
@click.option(
    "--picture",
    type=click.Path(path_type=Path),
    help="Also draw the spectrograms of one excerpt into this PNG.",
)
@musicnn_option
@force_option
@json_option
def evaluate_vocoder(
    vocoder_dirs: tuple[Path, ...],
    audio_dir: Path,
    seconds: float,
    random_seed: int,
    picture: Path | None,
    musicnn: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Synthesise recordings below AUDIO_DIR, which VOCODERs were not trained on, and compare them
    with what they were.

    Griffin-Lim is measured beside them. The Fréchet distance of embeddings (FAD) is left out where
    musicnn is not installed.
    """
    from synth.evaluate_vocoder import evaluate_vocoders

    if picture:
        check_output(picture, force=force)
    embedding = find_embedding(musicnn, needed=False)
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
        _echo_scores(audio_dir, report.scores, with_fad=embedding is not None)
    _refuse_left_out(report.left_out)


def _echo_scores(audio_dir: Path, scores: list, *, with_fad: bool) -> None:
    measures = {
        "mel L1": ("mel_l1", 3),
        "STFT": ("stft", 3),
        "FAD": ("fad", 3),
        "windows": ("windows", 0),
    }
    measures[f"× real time (threads: {scores[0].threads})"] = ("real_time", 1)
    if not with_fad:
        del measures["FAD"], measures["windows"]
    rows = [
        [s.name, *(_number(getattr(s, name), digits) for name, digits in measures.values())]
        for s in scores
    ]
    echo_table(
        f"{audio_dir}: how far from the recordings; lower is better", ["vocoder", *measures], rows
    )
    _note_bias(scores)


@evaluate.command(
    "generator",
    epilog=(
        "\b\nExamples:\n  demiurge synth evaluate generator my.unagan my.vocoder my_sounds\n "
        " demiurge synth evaluate generator shipped shipped piano --other rock=rock_songs --other"
        " drums=loops --minutes 20"
    ),
)
@unagan_argument
@vocoder_argument
@audio_argument
@click.option(
    "--other",
    "others",
    multiple=True,
    metavar="NAME=DIR",
    help="Compare with recordings of another kind, too; repeatable.",
)
@click.option(
    "--minutes",
    type=click.FloatRange(0, min_open=True),
    default=10.0,
    show_default=True,
    help="Of audio in each set.",
)
@seed_option
@musicnn_option
@json_option
def evaluate_generator(
    unagan_dir: Path,
    vocoder_dir: Path,
    audio_dir: Path,
    others: tuple[str, ...],
    minutes: float,
    random_seed: int,
    musicnn: Path | None,
    as_json: bool,
) -> None:
    """Compare what UNAGAN and VOCODER make with the recordings below AUDIO_DIR, which UNAGAN was
    trained on.

    Sets that are better than it can be, or that it must beat, are compared beside it. Needs the
    package musicnn.
    """
    from synth.evaluate_generator import evaluate_generator as evaluate_clips

    folders = _named_folders(others)
    embedding = find_embedding(musicnn, needed=True)
    generator = load_generator(unagan_dir)
    vocoder = load_vocoder(vocoder_dir).prepare()
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
        _echo_report(audio_dir, report)
    _refuse_left_out(report.left_out)


def _echo_report(audio_dir: Path, report) -> None:
    rows = [[name, f"{fad:.3f}"] for name, fad in report.fad.items()]
    echo_table(
        f"{audio_dir}: {report.clips} clips of each set; lower is better", ["set", "FAD"], rows
    )
    click.echo(
        "  as good as can be: recordings, other half; nothing learnt: their frames in random order,"
        " and white noise"
    )
    d = report.diversity
    click.echo(
        f"  spread of clips: {d.spread:.3f}, of recordings: {d.recorded_spread:.3f}; far less is"
        f" monotony\n  nearest recording: {d.nearest:.3f} (at least {d.closest:.3f}), of another"
        f" recording: {d.recorded_nearest:.3f} (at least {d.recorded_closest:.3f}); far less is"
        " copying"
    )
    _note_bias([report])


def _refuse_left_out(left_out: dict[str, str]) -> None:
    """Name the recordings that could not be used, and end with exit status 1 if there are any."""
    echo_left_out(left_out)
    if left_out:
        raise SystemExit(1)


def find_embedding(folder: Path | None, *, needed: bool):
    """MusiCNN in a folder or as installed; None if it is in neither and not needed."""
    from synth.musicnn import Musicnn

    if folder is None and not needed and importlib.util.find_spec("musicnn") is None:
        click.echo(
            "FAD is left out; for it: pip install --no-deps musicnn==0.1.0, or --musicnn DIR",
            err=True,
        )
        return None
    return Musicnn.find(folder)


def _named_folders(others: tuple[str, ...]) -> dict[str, Path]:
    """NAME=DIR, … as a dict."""
    folders: dict[str, Path] = {}
    for other in others:
        name, equals, folder = other.partition("=")
        if not (name and equals and folder) or name in folders:
            raise ParameterError(f"--other {other} must be NAME=DIR, each with another name")
        folders[name] = Path(folder)
    return folders


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def _note_bias(measured: list) -> None:
    """Say that FAD is not to be compared with others, if it is not."""
    if any(one.fad_is_biased for one in measured):
        click.echo(
            "  FAD of so few windows is too high: compare rows of this table only, or measure on"
            " more audio"
        )
