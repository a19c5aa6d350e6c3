"""Arguments and options of the demiurge synth commands, and loading of the models they name."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from demiurge.cli.options.output import check_output
from demiurge.cli.options.paths import ANY_PATH
from demiurge.cli.terminal import echo_line
from demiurge.shipped import model_path, vocoder_path
from files.errors import ParameterError
from files.names import without_name
from sequencer.names import COARSE

if TYPE_CHECKING:
    from synth.generator import Generator
    from synth.mel import MelSettings
    from synth.vocoder import Vocoder

CODEC_WORDS = ("codec", "rave")
path_argument = partial(click.argument, type=ANY_PATH)
audio_argument = path_argument("audio_dir", metavar="AUDIO_DIR")
model_argument = path_argument("model_dir", metavar="MODEL")
generator_argument = path_argument("generator_dir", metavar="GENERATOR")
vocoder_argument = path_argument("vocoder_dir", metavar="VOCODER")
musicnn_option = click.option(
    "--musicnn",
    type=ANY_PATH,
    help="Folder of the unpacked package musicnn. [default: the installed one]",
)


def echo_left_out(left_out: dict[str, str]) -> None:
    """Print the audio files that could not be used, with the reasons."""
    for name, reason in left_out.items():
        echo_line(f"  left out: {name}: {without_name(reason, name)}", err=True)


def exit_if_left_out(left_out: dict[str, str]) -> None:
    """Print the audio files that could not be used; if there are any, exit with 1."""
    echo_left_out(left_out)
    if left_out:
        raise SystemExit(1)


def check_model_output(path: Path, *, force: bool) -> None:
    """Refuse to write a model over an existing file or folder, unless `force` is given.

    An empty folder may be written to; a folder that holds no model is never replaced.

    Raises
    ------
    ParameterError
    """
    from training.checkpoint import holds_model
    from training.lock import LOCK_NAME

    if path.is_dir() and all(file.name == LOCK_NAME for file in path.iterdir()):
        return  # the lock is left by a training that was killed before its first save
    if path.exists() and not (holds_model(path) or holds_model(path / COARSE)):
        raise ParameterError(
            f"{path} exists and holds no model; it is not replaced, even with --force: give"
            " another name"
        )
    check_output(path, force=force, is_folder=True)


def load_vocoder(name: Path, mel: MelSettings | None = None) -> Vocoder:
    """Return the vocoder of a folder, or a shipped one: that for `mel`, if it is given."""
    from synth.vocoder import Vocoder

    folder = vocoder_path(name, mel.to_dict()) if mel else model_path(name, "vocoder")
    return Vocoder.load(folder)


def codec_of_word(word: Path) -> Path | None:
    """Return the path in `codec:PATH`, `codec:shipped` or `rave:FILE`; None for another word."""
    kind, colon, name = str(word).partition(":")
    if not colon or kind not in CODEC_WORDS or word.exists():
        return None
    if not name:
        raise ParameterError(f"{word} names no codec; give {kind}:PATH")
    return model_path(name, "codec") if kind == "codec" else Path(name)


def load_generator(name: Path) -> Generator:
    """Return the generator of a folder, or a shipped one."""
    from synth.generator import load_generator as load

    return load(model_path(name, "generator"))
