"""The bands of a database at the command line: measure them at once, and say what is kept."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from demiurge.cli.terminal import counted, progress_bar


@contextmanager
def interruptible(database: Path) -> Iterator[None]:
    """Let Ctrl-C end a build with a message that says what is kept."""
    try:
        yield
    except KeyboardInterrupt:
        raise click.ClickException(
            f"interrupted; analysed files are kept in {database}. Run the same command to continue"
        ) from None


def measure_bands(database: Path, *, quiet: bool) -> dict[str, int]:
    """Measure the bands of all sources that have none, and return facts about what is kept."""
    from db.band_upkeep import kept_bands
    from db.database import Database
    from db.keep_bands import keep_bands

    opened = Database(database)
    with interruptible(database), progress_bar("measuring spectra", quiet=quiet) as progress:
        keep_bands(opened, progress=progress)
    return kept_bands(opened)._asdict()


def describe_kept(bands: dict[str, int]) -> str:
    """Return the facts of `db.band_upkeep.KeptBands` in words."""
    if not bands["sources"]:
        return "none kept"
    size = f"{bands['bytes'] / 1e6:.1f} MB"
    return f"{bands['bands']} bands of {counted(bands['sources'], 'source')}, {size}"
