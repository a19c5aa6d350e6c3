"""Databases to files that other programs read, and back; `db.tables` has the formats.

A file has settings, sources with hash, rate, channels and length, unit positions, and descriptors
to the last bit. The audio stays where it is. Units longer than a frame can be written but not read
back: their frames are not in the file.
"""

from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from audio.read import probe
from audio.resample import resampled_length
from db.analyse import Description
from db.configure import configure
from db.database import Database
from db.settings import DescriptorSettings
from db.tables import TABLE_VERSION, WRITERS, Table, read_table
from db.units import frame_lengths
from db.writer import SourceRow, Writer
from db.writing import writing
from files.atomic import replacing, writing_errors
from files.errors import ParameterError
from files.hashing import hash_file


def export_database(database: Database, path: str | Path, *, format: str) -> int:
    """Write all units of a database to one file and return their number.

    Raises
    ------
    ParameterError
        If the format is unknown, cannot keep these descriptors or needs an extra, or the file
        cannot be written.
    """
    if format not in WRITERS:
        raise ParameterError(f"format={format!r} is not known; choose among {', '.join(WRITERS)}")
    units = database.units
    paths = [database.sources[i].path for i in units.source]
    header = {
        "format": "demiurge-table",
        "version": TABLE_VERSION,
        "settings": database.settings.to_dict(),
        "sources": _source_facts(database),
    }
    table = Table(
        database.settings.names,
        paths,
        units.start_sample,
        units.n_samples,
        database.descriptors,
        header,
    )
    with writing_errors(path), replacing(path) as temporary:
        WRITERS[format](table, temporary)
    return len(units)


def _source_facts(database: Database) -> list[dict[str, Any]]:
    """Return what a table says of each source."""
    keys = ("path", "content_hash", "sample_rate", "channels", "n_samples")
    return [{key: getattr(source, key) for key in keys} for source in database.sources]


def import_files(
    files: list[str | Path], path: str | Path, *, root: str | Path | None = None
) -> list[str]:
    """Put the sources of exported files in a database, which is made if need be; returns their
    paths.

    A source that the database has already is replaced. A later `build_database` of the corpus
    folder adds what is missing.

    Parameters
    ----------
    root : path, optional
        The corpus folder that the files' paths are relative to; needed for a new database.

    Raises
    ------
    ParameterError
        If a file cannot be read or does not hold frames of whole sources, or `root` is needed.
    DatabaseError
        If the settings differ, or the database cannot be written.
    """
    tables = [(Path(file), read_table(Path(file))) for file in files]
    if root is None:
        if not Path(path).exists():
            raise ParameterError(
                f"{path}: a new database needs the folder of its audio; give it with --root"
            )
        root = Database(path).root
    root = Path(root).absolute()
    if not root.is_dir():
        raise ParameterError(f"{root}: no such folder; give the folder of the audio with --root")
    prepared = [_prepare(file, table, root) for file, table in tables]
    settings = prepared[0][0]
    for (theirs, _), (file, _) in zip(prepared, tables, strict=True):
        settings.check_matches(theirs, mine=str(tables[0][0]), theirs=str(file))
    with writing(Path(path), create=True) as connection:
        writer = Writer(
            connection, Path(path), configure(connection, Path(path), root, settings, moved=False)
        )
        try:
            names = []
            for _, sources in prepared:
                for source, description in sources:
                    writer.add(source, description)
                    names.append(source.path)
        finally:
            writer.finish()
    return names


def _prepare(
    file: Path, table: Table, root: Path
) -> tuple[DescriptorSettings, list[tuple[SourceRow, Description]]]:
    """Sources of a table, checked."""
    header = table.header
    settings = (
        DescriptorSettings.from_dict(header["settings"])
        if header
        else DescriptorSettings(window_centre="start")
    )
    if settings.units != "frame":
        raise ParameterError(
            f"{file}: holds {settings.units} units without their frames; build from the audio"
            " instead"
        )
    if table.names != settings.names:
        raise ParameterError(
            f"{file}: its columns are not those of its settings"
            f" ({', '.join(settings.names[:3])}, …)"
        )
    if not np.isfinite(table.rows).all():
        raise ParameterError(
            f"{file}: row {int(np.argwhere(~np.isfinite(table.rows))[0, 0])} is not finite; write"
            " it again"
        )
    facts = {fact["path"]: fact for fact in (header["sources"] if header else ())}
    prepared = []
    first = 0
    for name, group in groupby(table.sources):
        n_rows = len(list(group))
        rows = table.rows[first : first + n_rows]
        starts = table.start_sample[first : first + n_rows]
        first += n_rows
        if (starts != np.arange(n_rows) * settings.hop_length).any():
            raise ParameterError(
                f"{file}: {name}: its rows are not every {settings.hop_length} samples from 0;"
                " write it again"
            )
        source = _source_row(name, facts.get(name), root, settings)
        n_frames = -(-source.n_samples // settings.hop_length)
        if n_rows not in (n_frames, n_frames + 1):  # librosa's last frame may lie at the very end
            raise ParameterError(
                f"{file}: {name}: {n_rows} rows for {n_frames} frames of {settings.hop_length}"
                " samples"
            )
        rows = np.ascontiguousarray(rows[:n_frames], np.float32)
        lengths = frame_lengths(source.n_samples, settings.hop_length)
        prepared.append((source, Description(source.n_samples, rows, lengths, rows)))
    if len({source.path for source, _ in prepared}) < len(prepared):
        raise ParameterError(
            f"{file}: the rows of a source are not together; sort them by source and position"
        )
    return settings, prepared


def _source_row(
    name: str, fact: dict[str, Any] | None, root: Path, settings: DescriptorSettings
) -> SourceRow:
    """What is known of a source from the file or, for an original one, from its audio."""
    audio = root / name
    stat = audio.stat() if audio.is_file() else None
    size, mtime = (stat.st_size, stat.st_mtime_ns) if stat else (-1, 0)
    if fact:
        known = stat is not None and hash_file(audio) == fact["content_hash"]
        stamp = (size, mtime) if known else (-1, 0)  # another content: the next build looks at it
        return SourceRow(
            name,
            fact["content_hash"],
            *stamp,
            fact["sample_rate"],
            fact["channels"],
            fact["n_samples"],
        )
    if stat is None:
        raise ParameterError(f"{name}: its audio is not in {root}; give its folder with --root")
    info = probe(audio)
    n_samples = resampled_length(info.n_samples, info.sample_rate, settings.sample_rate)
    return SourceRow(
        name, hash_file(audio), size, mtime, info.sample_rate, info.channels, n_samples
    )
