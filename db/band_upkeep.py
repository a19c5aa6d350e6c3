"""Look after the kept spectra of a database: how much there is, what is damaged, what is stale."""

from pathlib import Path
from typing import NamedTuple

from db.band_store import FOLDER, read_index, rows_files
from db.band_writer import writing
from db.database import Database
from db.keep_bands import dependencies, open_store
from files.errors import DatabaseError


class KeptBands(NamedTuple):
    """How many sources have kept spectra, of how many bands, and how many bytes those take."""

    sources: int
    bands: int
    bytes: int


def kept_bands(database: Database) -> KeptBands:
    """Return what is kept in a database's folder; the rows are not read."""
    nothing = KeptBands(0, 0, bytes_of_bands(database.path))
    try:
        index = read_index(database.path / FOLDER)
    except DatabaseError:  # missing, or damaged, which is told where it matters
        return nothing
    if index.measured != dependencies(database.settings):  # they would be measured again
        return nothing
    contents = {source.content_hash for source in database.sources}
    n_kept = len(contents & index.spans.keys())
    return nothing._replace(sources=n_kept, bands=index.n_columns - 1)


def bytes_of_bands(path: Path) -> int:
    """Return the size of all kept rows in the folder of a database."""
    return sum(file.stat().st_size for file in rows_files(path / FOLDER))


def verify_bands(path: Path, *, repair: bool) -> list[tuple[str, str]]:
    """Return the damaged files of a database's spectra, and what is wrong.

    With `repair`, what is damaged is removed.
    """
    if not (path / FOLDER).is_dir():
        return []
    store = open_store(Database(path))
    again = "the spectra are measured again when they are needed"
    damage = [(place, f"{problem}; {again}") for place, problem in store.damage]
    if damage and repair:
        with writing(store) as writer:
            writer.drop_stale()
    return damage


def compact_bands(path: Path) -> None:
    """Free the space of spectra that belong to no source."""
    if not (path / FOLDER).is_dir():
        return
    store = open_store(Database(path))
    if store.stale_rows or store.index is None:
        with writing(store) as writer:
            writer.drop_stale()
