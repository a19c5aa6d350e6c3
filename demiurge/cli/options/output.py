"""Options that many commands have, and early checks of their output files."""

import errno
import os
from pathlib import Path

import click

from demiurge.cli.options.command import Decorator, option
from demiurge.cli.options.paths import ANY_PATH, CORPUS_FOLDER, FILE_PATH
from files.atomic import cannot_write
from files.errors import ParameterError
from files.names import check_name
from files.regular import other_kind

database_argument = click.argument("database", metavar="DB", type=ANY_PATH)
json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document instead of text."
)
force_option = click.option("--force", is_flag=True, help="Replace the output if it exists.")
root_option = click.option(
    "--root", type=CORPUS_FOLDER, help="Folder of the corpus, or its URL, if it has moved."
)
audio_out_option = option(
    "-o",
    "--out",
    heading="The file",
    type=FILE_PATH,
    required=True,
    help="The WAV, FLAC or OGG file to write.",
)


def random_seed_option(heading: str = "", *, default: int | None = 0) -> Decorator:
    """Return the option of a command that uses random numbers; None means "as before"."""
    return option(
        "--random-seed",
        heading=heading,
        type=click.IntRange(0),
        default=default,
        help="Seed of the random numbers; the same seed gives the same result. [default: 0]",
    )


def check_output(
    path: Path, *, force: bool, folder_is_made: bool = False, is_folder: bool = False
) -> None:
    """Refuse an output, a file if not `is_folder`, that could not be written in the end.

    Raises
    ------
    ParameterError
        If the output exists, or is a folder where a file is to be written, or if its folder does
        not exist and will not be made.
    """
    check_name(path, ParameterError)
    if not is_folder and path.exists() and (kind := other_kind(path.stat())):
        raise ParameterError(f"{path} is {kind}; give the name of a file")
    if path.exists() and not force:
        raise ParameterError(f"{path} exists; give another name, or --force to replace it")
    if not folder_is_made and not path.absolute().parent.is_dir():
        raise ParameterError(
            f"{path}: the folder {path.absolute().parent} does not exist; make it first"
        )


def check_output_folder(path: Path) -> None:
    """Refuse a folder for outputs that is something else, or cannot be made.

    Raises
    ------
    ParameterError
    """
    check_name(path, ParameterError)
    there = next(
        folder for folder in (path.absolute(), *path.absolute().parents) if folder.exists()
    )
    if not there.is_dir():
        raise ParameterError(f"{path}: {there} is not a folder; give another name")
    if not os.access(there, os.W_OK | os.X_OK):
        refused = PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        raise ParameterError(cannot_write(path, refused))


def check_audio_output(path: Path, *, force: bool, bits: str | None = None) -> None:
    """Check an output as `check_output`, and that its format can hold `bits`."""
    from audio.formats import check_output_format

    check_output_format(path, bits)
    check_output(path, force=force)
