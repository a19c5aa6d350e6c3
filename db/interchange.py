"""Export databases to files for other programs, and import them; `db.tables` has the formats.

A file holds the settings, the hash, sample rate, channels and length of each source, where each
unit is, and its exact descriptors. It holds no audio. Units longer than a frame can be exported but
not imported, since their frames are not in the file.
"""

from pathlib import Path
from typing import Any

from db.configure import configure
from db.database import Database
from db.import_table import parse_table
from db.read_table import read_table
from db.settings import DescriptorSettings
from db.tables import TABLE_VERSION, WRITERS, Table
from db.write_lock import writing
from db.writer import Writer
from files.atomic import replacing, writing_errors
from files.errors import ParameterError
from files.remote import RemoteFolder


def export_database(database: Database, path: str | Path, *, format: str) -> int:
    """Write all units of a database to one file and return their number.

    Raises
    ------
    ParameterError
        If the format is unknown, cannot hold these descriptors or needs an extra; or if the file
        cannot be written.
    """
    if format not in WRITERS:
        raise ParameterError(f"format={format!r} is not known; choose among {', '.join(WRITERS)}")
    table = _make_table(database)
    with writing_errors(path), replacing(path) as temporary:
        WRITERS[format](table, temporary)
    return len(table.rows)


def _make_table(database: Database) -> Table:
    units = database.units
    header = {
        "format": "demiurge-table",
        "version": TABLE_VERSION,
        "settings": database.settings.to_dict(),
        "sources": _source_facts(database),
    }
    return Table(
        names=database.settings.names,
        sources=[database.sources[number].path for number in units.source],
        start_sample=units.start_sample,
        n_samples=units.n_samples,
        rows=database.descriptors,
        header=header,
    )


def _source_facts(database: Database) -> list[dict[str, Any]]:
    """Return the facts of each source for a table's header."""
    keys = ("path", "content_hash", "sample_rate", "channels", "n_samples")
    return [{key: getattr(source, key) for key in keys} for source in database.sources]


def import_files(
    files: list[str | Path], path: str | Path, *, root: str | Path | None = None
) -> list[str]:
    """Add the sources of exported files to a database, and return their paths.

    The database is created if it does not exist. Sources it already has are replaced. A later
    `build_database` of the corpus folder adds missing ones.

    Parameters
    ----------
    root : path, optional
        The corpus folder that the files' paths are relative to; needed for a new database.

    Raises
    ------
    ParameterError
        If a file cannot be read or does not hold frames of whole sources, or if `root` is missing.
    DatabaseError
        If the settings differ, or the database cannot be written.
    """
    path = Path(path)
    tables = [(Path(file), read_table(Path(file))) for file in files]
    root = _find_root(path, root)
    parsed = [parse_table(file, table, root) for file, table in tables]
    settings = parsed[0].settings
    _check_same_settings([file for file, _ in tables], [one.settings for one in parsed])
    names = []
    with writing(path, create=True) as connection:
        settings = configure(connection, path, root, settings, moved=False)
        writer = Writer(connection, path, settings)
        try:
            for one in parsed:
                for source, description in one.sources:
                    writer.add(source, description)
                    names.append(source.path)
        finally:
            writer.finish()
    return names


def _find_root(path: Path, root: str | Path | None) -> Path:
    """Return the corpus folder, by default that of the database at `path`."""
    if root is None:
        if not path.exists():
            raise ParameterError(
                f"{path}: a new database needs the folder of its audio; give it with --root"
            )
        current = Database(path).root
        if isinstance(current, RemoteFolder):
            raise ParameterError(
                f"{path}: its audio is in object storage, {current}, and a table cannot be checked"
                " against that; build the database from the audio"
            )
        root = current
    root = Path(root).absolute()
    if not root.is_dir():
        raise ParameterError(f"{root}: no such folder; give the folder of the audio with --root")
    return root


def _check_same_settings(files: list[Path], settings: list[DescriptorSettings]) -> None:
    for file, other in zip(files, settings, strict=True):
        settings[0].check_matches(other, mine=str(files[0]), theirs=str(file))
