"""What the commands of demiurge synth have in common."""

from pathlib import Path

import click

from demiurge.cli.options.output import check_output
from demiurge.shipped import model_path
from files.errors import ParameterError

audio_argument = click.argument("audio_dir", metavar="AUDIO_DIR", type=click.Path(path_type=Path))
model_argument = click.argument("model_dir", metavar="MODEL", type=click.Path(path_type=Path))
unagan_argument = click.argument("unagan_dir", metavar="UNAGAN", type=click.Path(path_type=Path))
vocoder_argument = click.argument("vocoder_dir", metavar="VOCODER", type=click.Path(path_type=Path))
seed_option = click.option(
    "--seed",
    "random_seed",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Same seed, same result.",
)
mel_option = click.option(
    "--mel",
    type=click.Choice(["22k", "44k", "hifigan", "melgan"]),
    help="What the spectrograms are like. [default: 22k]",
)
precision_option = click.option(
    "--precision",
    type=click.Choice(["float32", "bfloat16"]),
    default="float32",
    show_default=True,
    help="bfloat16 is less exact, and faster on processors that know it.",
)
musicnn_option = click.option(
    "--musicnn",
    type=click.Path(path_type=Path),
    help="Folder of the unpacked package musicnn. [default: the installed one]",
)


def echo_left_out(left_out: dict[str, str]) -> None:
    """Name recordings that could not be used, with why."""
    for name, reason in left_out.items():
        click.echo(f"  left out: {name}: {reason.removeprefix(f'{Path(name).name}: ')}", err=True)


def check_model_output(path: Path, *, force: bool) -> None:
    """`check_output` for a model: an empty folder is as good as none, and one without a model is
    never replaced.
    """
    from training.checkpoint import holds_model

    if path.is_dir() and not any(path.iterdir()):
        return
    if path.exists() and not holds_model(path):
        raise ParameterError(
            f"{path} is there and holds no model; it is not replaced, even with --force: give"
            " another name"
        )
    check_output(path, force=force)


def load_vocoder(name: Path):
    from synth.vocoder import Vocoder

    return Vocoder.load(model_path(name, "vocoder"))


def load_generator(name: Path):
    from synth.generator import Generator

    return Generator.load(model_path(name, "unagan"))
