"""Descriptors for other programs, and back.

    demiurge-json   the original Demiurge's columns: _id, _sample, mfcc0, …       in and out; keeps paths, positions, rows
    csv             source, start_sample, n_samples, one column each              in and out; keeps everything, see below
    npz             the same as NumPy arrays                                      in and out
    parquet         the same as an Arrow table (extra "parquet")                  in and out
    flucoma         a dataset of FluCoMa's fluid.dataset~, "path:start_sample"    out

Everything is: settings, sources with hash, rate, channels and length, unit positions, and descriptors to the last bit. The
audio stays where it is. Units longer than a frame can be written but not read back: their frames are not in the file.
"""

import csv
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from db.analyse import Description, hash_file
from db.atomic import replacing
from db.audio import probe, resampled_length
from db.build import configure
from db.database import Database
from db.errors import AudioError, DatabaseError, ParameterError
from db.settings import DescriptorSettings
from db.units import frame_lengths
from db.writer import SourceRow, Writer, writing

TABLE_VERSION = 1
POSITION = ("source", "start_sample", "n_samples")


@dataclass(frozen=True)
class Table:
    """Units as rows: `sources` paths, positions int64 (n,), `rows` float32 (n, len(names)).

    `header` holds the settings and what is known of each source; None for an original file, which states neither.
    """

    names: tuple[str, ...]
    sources: list[str]
    start_sample: np.ndarray
    n_samples: np.ndarray | None
    rows: np.ndarray
    header: dict[str, Any] | None


def export_database(database: Database, path: str | Path, *, format: str) -> int:
    """Write all units of a database to one file and return their number.

    Raises
    ------
    ParameterError
        If the format is unknown, cannot keep these descriptors or needs an extra, or the file cannot be written.
    """
    if format not in WRITERS:
        raise ParameterError(f"format={format!r} is not known; choose among {', '.join(WRITERS)}")
    units = database.units
    paths = [database.sources[i].path for i in units.source]
    header = {
        "format": "demiurge-table", "version": TABLE_VERSION, "settings": database.settings.to_dict(),
        "sources": database.source_facts(),
    }  # fmt: skip
    table = Table(database.settings.names, paths, units.start_sample, units.n_samples, database.descriptors, header)
    with replacing(path) as temporary:
        WRITERS[format](table, temporary)
    return len(units)


def import_files(files: list[str | Path], path: str | Path, *, root: str | Path | None = None) -> list[str]:
    """Put the sources of exported files in a database, which is made if need be; returns their paths.

    A source that the database has already is replaced. A later `build_database` of the corpus folder adds what is missing.

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
    tables = [(Path(file), _read(Path(file))) for file in files]
    if root is None:
        if not Path(path).exists():
            raise ParameterError(f"{path}: a new database needs the folder of its audio; give it with --root")
        root = Database(path).root
    root = Path(root).absolute()
    if not root.is_dir():
        raise ParameterError(f"{root}: no such folder; give the folder of the audio with --root")
    prepared = [_prepare(file, table, root) for file, table in tables]
    with writing(Path(path), create=True) as connection:
        settings = prepared[0][0]
        for (theirs, _), (file, _) in zip(prepared, tables, strict=True):
            settings.check_matches(theirs, mine=str(tables[0][0]), theirs=str(file))
        writer = Writer(connection, Path(path), configure(connection, Path(path), root, settings, moved=False))
        try:
            names = []
            for _, sources in prepared:
                for source, description in sources:
                    writer.add(source, description)
                    names.append(source.path)
        finally:
            writer.finish()
    return names


def _prepare(file: Path, table: Table, root: Path) -> tuple[DescriptorSettings, list[tuple[SourceRow, Description]]]:
    """Sources of a table, checked."""
    if table.header is None:
        settings = DescriptorSettings(window_centre="start")
    else:
        if table.header.get("version") != TABLE_VERSION:
            raise ParameterError(
                f"{file}: table version {table.header.get('version')}, this Demiurge reads {TABLE_VERSION}; update Demiurge"
            )
        settings = DescriptorSettings.from_dict(table.header["settings"])
    if settings.units != "frame":
        raise ParameterError(f"{file}: holds {settings.units} units without their frames; build from the audio instead")
    if table.names != settings.names:
        raise ParameterError(f"{file}: its columns are not those of its settings ({', '.join(settings.names[:3])}, …)")
    if not np.isfinite(table.rows).all():
        raise ParameterError(f"{file}: row {int(np.argwhere(~np.isfinite(table.rows))[0, 0])} is not finite; write it again")
    facts = {fact["path"]: fact for fact in (table.header or {}).get("sources", [])}
    prepared, first = [], 0
    for name, group in groupby(table.sources):
        n_rows = len(list(group))
        rows, starts = table.rows[first : first + n_rows], table.start_sample[first : first + n_rows]
        first += n_rows
        if (starts != np.arange(n_rows) * settings.hop_length).any():
            raise ParameterError(f"{file}: {name}: its rows are not every {settings.hop_length} samples from 0; write it again")
        source = _source_row(name, facts.get(name), root, settings)
        n_frames = -(-source.n_samples // settings.hop_length)
        if n_rows not in (n_frames, n_frames + 1):  # librosa's last frame may lie at the very end
            raise ParameterError(f"{file}: {name}: {n_rows} rows for {n_frames} frames of {settings.hop_length} samples")
        rows = np.ascontiguousarray(rows[:n_frames], np.float32)
        lengths = frame_lengths(source.n_samples, settings.hop_length)
        prepared.append((source, Description(source.n_samples, rows, lengths, rows)))
    if len({source.path for source, _ in prepared}) < len(prepared):
        raise ParameterError(f"{file}: the rows of a source are not together; sort them by source and position")
    return settings, prepared


def _source_row(name: str, fact: dict[str, Any] | None, root: Path, settings: DescriptorSettings) -> SourceRow:
    """What is known of a source from the file or, for an original one, from its audio."""
    audio = root / name
    stat = audio.stat() if audio.is_file() else None
    size, mtime = (stat.st_size, stat.st_mtime_ns) if stat else (-1, 0)
    if fact:
        known = stat is not None and hash_file(audio) == fact["content_hash"]
        stamp = (size, mtime) if known else (-1, 0)  # another content: the next build looks at it
        return SourceRow(name, fact["content_hash"], *stamp, fact["sample_rate"], fact["channels"], fact["n_samples"])
    if stat is None:
        raise ParameterError(f"{name}: its audio is not in {root}; give its folder with --root")
    info = probe(audio)
    n_samples = resampled_length(info.n_samples, info.sample_rate, settings.sample_rate)
    return SourceRow(name, hash_file(audio), size, mtime, info.sample_rate, info.channels, n_samples)


def _write_demiurge_json(table: Table, path: Path) -> None:
    if table.header is not None and table.header["settings"]["units"] != "frame":
        raise ParameterError("demiurge-json holds frames; choose another --format for longer units")
    columns: dict[str, list] = {"_id": table.sources, "_sample": table.start_sample.tolist()}
    with open(path, "w") as file:
        file.write("{")
        for number, (name, values) in enumerate(_columns(table, columns)):
            file.write(f"{', ' if number else ''}{json.dumps(name)}: {json.dumps(values)}")
        file.write("}")


def _columns(table: Table, first: dict[str, list]) -> Iterator[tuple[str, list]]:
    yield from first.items()
    for name, column in zip(table.names, table.rows.T, strict=True):
        yield name, column.tolist()


def _read_demiurge_json(path: Path) -> Table:
    document = json.loads(path.read_text())
    names = DescriptorSettings().names
    if not isinstance(document, dict) or (missing := [k for k in ("_id", "_sample", *names) if k not in document]):
        raise ParameterError(f"{path}: column {missing[0] if isinstance(document, dict) else '_id'} is missing")
    rows = np.array([document[name] for name in names], np.float32).T
    starts = np.array(document["_sample"], np.int64)
    return Table(names, [str(name) for name in document["_id"]], starts, None, rows, None)


def _write_csv(table: Table, path: Path) -> None:
    with open(path, "w", newline="", encoding="utf-8") as file:
        file.write(f"# {json.dumps(table.header)}\n")
        writer = csv.writer(file)
        writer.writerow([*POSITION, *table.names])
        assert table.n_samples is not None
        for source, start, length, row in zip(table.sources, table.start_sample, table.n_samples, table.rows, strict=True):
            writer.writerow([source, start, length, *(f"{value:.9g}" for value in row.tolist())])  # 9 digits are exact


def _read_csv(path: Path) -> Table:
    with open(path, newline="", encoding="utf-8") as file:
        first = file.readline()
        if not first.startswith("# {"):
            raise ParameterError(
                f"{path}: its first line does not state its settings; give a file that demiurge db export wrote"
            )
        reader = csv.reader(file)
        columns = next(reader)
        if tuple(columns[:3]) != POSITION:
            raise ParameterError(f"{path}: its first columns must be {', '.join(POSITION)}")
        lines = list(reader)
    starts, lengths = (np.array([int(line[i]) for line in lines], np.int64) for i in (1, 2))
    rows = np.array([line[3:] for line in lines], np.float32).reshape(len(lines), -1)
    return Table(tuple(columns[3:]), [line[0] for line in lines], starts, lengths, rows, json.loads(first[2:]))


def _write_npz(table: Table, path: Path) -> None:
    assert table.n_samples is not None
    np.savez(
        path, header=np.array(json.dumps(table.header)), names=np.array(table.names), source=np.array(table.sources),
        start_sample=table.start_sample, n_samples=table.n_samples, descriptors=table.rows,
    )  # fmt: skip


def _read_npz(path: Path) -> Table:
    with np.load(path, allow_pickle=False) as arrays:
        return Table(
            tuple(arrays["names"].tolist()), arrays["source"].tolist(), arrays["start_sample"], arrays["n_samples"],
            arrays["descriptors"].astype(np.float32, copy=False), json.loads(str(arrays["header"])),
        )  # fmt: skip


def _arrow() -> Any:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise ParameterError('parquet needs pyarrow; install it with: pip install "demiurge-sequencer[parquet]"') from None
    return pyarrow


def _write_parquet(table: Table, path: Path) -> None:
    arrow = _arrow()
    columns = {"source": arrow.array(table.sources).dictionary_encode()}
    columns |= {"start_sample": table.start_sample, "n_samples": table.n_samples}
    columns |= {name: np.ascontiguousarray(column) for name, column in zip(table.names, table.rows.T, strict=True)}
    metadata = {"demiurge": json.dumps(table.header)}
    arrow.parquet.write_table(arrow.table(columns).replace_schema_metadata(metadata), path)


def _read_parquet(path: Path) -> Table:
    arrow = _arrow()
    stored = arrow.parquet.read_table(path)
    header = json.loads((stored.schema.metadata or {}).get(b"demiurge", b"{}"))
    names = tuple(name for name in stored.column_names if name not in POSITION)
    rows = np.stack([stored[name].to_numpy().astype(np.float32) for name in names], axis=1)
    starts, lengths = (stored[name].to_numpy() for name in POSITION[1:])
    return Table(names, stored["source"].to_pylist(), starts, lengths, rows, header)


def _write_flucoma(table: Table, path: Path) -> None:
    data = {
        f"{source}:{start}": row.tolist()
        for source, start, row in zip(table.sources, table.start_sample, table.rows, strict=True)
    }
    path.write_text(json.dumps({"cols": len(table.names), "data": data}))


WRITERS: dict[str, Callable[[Table, Path], None]] = {
    "demiurge-json": _write_demiurge_json,
    "csv": _write_csv,
    "npz": _write_npz,
    "parquet": _write_parquet,
    "flucoma": _write_flucoma,
}
READERS: dict[str, Callable[[Path], Table]] = {
    ".json": _read_demiurge_json,
    ".csv": _read_csv,
    ".npz": _read_npz,
    ".parquet": _read_parquet,
}


def _read(path: Path) -> Table:
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise ParameterError(f"{path}: {path.suffix or 'no suffix'} is not read; give a file that ends in {', '.join(READERS)}")
    try:
        table = reader(path)
    except (AudioError, DatabaseError, ParameterError):
        raise
    except Exception as error:  # whatever a parser makes of a file that is not what its name says
        raise ParameterError(f"{path}: not a readable {path.suffix} table ({error}); export it again") from error
    if table.rows.ndim != 2 or not len(table.sources) == len(table.start_sample) == len(table.rows) > 0:
        raise ParameterError(f"{path}: its columns have different lengths or no rows; export it again")
    return table
