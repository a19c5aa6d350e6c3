"""Options that many commands have, and early checks of their output files."""

from pathlib import Path

import click

from demiurge.cli.options.command import Decorator, option
from files.errors import ParameterError
from files.names import check_name

database_argument = click.argument("database", metavar="DB", type=click.Path(path_type=Path))
json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document instead of text."
)
force_option = click.option("--force", is_flag=True, help="Replace the output if it exists.")
root_option = click.option(
    "--root", type=click.Path(path_type=Path), help="Folder of the corpus, if it has moved."
)
audio_out_option = option(
    "-o",
    "--out",
    heading="The file",
    type=click.Path(path_type=Path),
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


def check_output(path: Path, *, force: bool, folder_is_made: bool = False) -> None:
    """Refuse an output that could not be written in the end.

    Raises
    ------
    ParameterError
        If the output exists, or its folder does not and will not be made.
    """
    check_name(path, ParameterError)
    if path.exists() and not force:
        raise ParameterError(f"{path} exists; give another name, or --force to replace it")
    if not folder_is_made and not path.absolute().parent.is_dir():
        raise ParameterError(
            f"{path}: the folder {path.absolute().parent} does not exist; make it first"
        )


def check_audio_output(path: Path, *, force: bool, bits: str | None = None) -> None:
    """Check an output as `check_output`, and that its format can hold `bits`."""
    from audio.formats import check_output_format

    check_output_format(path, bits)
    check_output(path, force=force)
