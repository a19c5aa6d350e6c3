"""Output of the commands: JSON for programs, tables and progress bars for people."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from files.names import printable
from files.progress import Progress, no_progress

TABLE_COLUMNS = 400  # width of a table written to a file or a pipe


def echo_json(document: Any) -> None:
    """Print one JSON document."""
    click.echo(json.dumps(document, indent=1, allow_nan=False, default=str))


def echo_line(text: str, *, err: bool = False) -> None:
    """Print a line, whatever the names in it."""
    click.echo(printable(text), err=err)


def counted(count: int, noun: str) -> str:
    """Return "1 source", "2 sources" and so on."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


@contextmanager
def progress_bar(label: str, *, quiet: bool = False, counted: bool = True) -> Iterator[Progress]:
    """Show a progress bar on standard error; yield the function that moves it.

    No bar is shown if `quiet`, or if standard error is not a terminal. With `counted` it shows the
    numbers done and in all.
    """
    if quiet or not sys.stderr.isatty():
        yield no_progress
        return
    from rich import progress as rich_progress
    from rich.console import Console

    columns: list[rich_progress.ProgressColumn] = [
        rich_progress.TextColumn("{task.description}", markup=False),
        rich_progress.BarColumn(),
        rich_progress.TimeRemainingColumn(),
        rich_progress.TextColumn("{task.fields[label]}", markup=False),
    ]
    if counted:
        columns.insert(2, rich_progress.MofNCompleteColumn())
    with rich_progress.Progress(
        *columns, console=Console(stderr=True, markup=False, emoji=False), transient=True
    ) as bar:
        task = bar.add_task(printable(label), label="")

        def update(done: int, total: int, label: str = "") -> None:
            bar.update(task, completed=done, total=total, label=printable(label))

        yield update


def echo_table(title: str, columns: list[str], rows: list[list[str]]) -> None:
    """Print a table with columns of numbers aligned on the right.

    If the output is not a terminal, the table is as wide as its cells.
    """
    from rich.console import Console
    from rich.table import Table

    width = None if sys.stdout.isatty() else TABLE_COLUMNS
    # names of files may look like rich's markup
    console = Console(width=width, markup=False, emoji=False)
    table = Table(title=printable(title), title_justify="left")
    for column, cells in zip(columns, zip(*rows, strict=True), strict=True):
        numeric = all(cell.lstrip("-")[:1].isdigit() or not cell for cell in cells)
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(printable, row))
    console.print(table)
