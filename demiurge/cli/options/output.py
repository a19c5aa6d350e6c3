"""How commands speak: one JSON document for machines, tables and progress bars for people, nothing
over what exists.
"""

import json
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import click

from files.errors import ParameterError
from files.names import check_name

json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document instead of text."
)
force_option = click.option("--force", is_flag=True, help="Replace the output if it exists.")
audio_out_option = click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help="The WAV, FLAC or OGG file to write.",
)

STOPPED = {  # what a training command says of a training that ended early
    "interrupt": " (interrupted; the best so far is kept, --resume goes on)",
    "minutes": " (time is up; --resume goes on)",
}
MOST_COLUMNS = 400  # of a table that goes to a file or a pipe
CONTROL = (
    "Cc",
    "Cs",
    "Zl",
    "Zp",
)  # Unicode categories of letters that would move the cursor, or are none


class Bar(Protocol):
    """Tells how far the work is."""

    def __call__(self, done: int, total: int, what: str = "", /) -> None: ...


def _ignore(done: int, total: int, what: str = "", /) -> None: ...


def echo_json(document: Any) -> None:
    click.echo(json.dumps(document, indent=1, allow_nan=False, default=str))


def one_line(name: str) -> str:
    """A name of a file as it can be shown: line breaks and other control characters become escapes,
    like \\n and \\x1b.
    """
    return "".join(
        (
            letter.encode("unicode_escape").decode()
            if unicodedata.category(letter) in CONTROL
            else letter
        )
        for letter in name
    )


def check_output(path: Path, *, force: bool, folder_is_made: bool = False) -> None:
    """Refuse early what would fail late: an output that exists, or a folder that does not and will
    not be made.

    Raises
    ------
    ParameterError
    """
    check_name(path, ParameterError)
    if path.exists() and not force:
        raise ParameterError(f"{path} exists; give another name, or --force to replace it")
    if not folder_is_made and not path.absolute().parent.is_dir():
        raise ParameterError(
            f"{path}: the folder {path.absolute().parent} does not exist; make it first"
        )


def check_audio_output(path: Path, *, force: bool, bits: str | None = None) -> None:
    """`check_output` for audio."""
    from audio.formats import check_output_format

    check_output_format(path, bits)
    check_output(path, force=force)


@contextmanager
def progress_bar(label: str, *, quiet: bool = False, counted: bool = True) -> Iterator["Bar"]:
    """A bar on standard error, fed by calls of (done, total, what); silent if `quiet` or not on a
    terminal.

    Where `what` says more than numbers, the bar is not `counted`.
    """
    if quiet or not sys.stderr.isatty():
        yield _ignore
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        *([MofNCompleteColumn()] if counted else []),
        TimeRemainingColumn(),
        TextColumn("{task.fields[what]}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, what="")

        def update(done: int, total: int, what: str = "", /) -> None:
            bar.update(task, completed=done, total=total, what=what)

        yield update


def echo_table(title: str, columns: list[str], rows: list[list[str]]) -> None:
    """A table; columns of numbers are right-aligned. As wide as its cells where the output is not a
    terminal.
    """
    from rich.console import Console
    from rich.table import Table

    width = None if sys.stdout.isatty() else MOST_COLUMNS
    console = Console(width=width, markup=False, emoji=False)  # names of files may look like markup
    table = Table(title=title, title_justify="left")
    for column, cells in zip(columns, zip(*rows, strict=True), strict=True):
        numeric = all(cell[:1].isdigit() or not cell for cell in cells)
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(one_line, row))
    console.print(table)
