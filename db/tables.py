"""Read and write units as a table, in formats of other programs.

demiurge-json   the original Demiurge's columns: _id, _sample, mfcc0, …      in and out
csv             source, start_sample, n_samples, and a column each           in and out
npz             the same as NumPy arrays                                     in and out
parquet         the same as an Arrow table (extra "parquet")                 in and out
flucoma         a dataset of FluCoMa's fluid.dataset~, "path:start_sample"   out

demiurge-json holds neither settings nor facts of the sources; in a CSV, the first line holds both.
"""

import csv
import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from db.settings import DescriptorSettings
from files.errors import ParameterError, install_command
from files.regular import check_regular

TABLE_VERSION = 1
MOST_PACKED = 100  # times that a table may be smaller as a file
POSITION = ("source", "start_sample", "n_samples")


@dataclass(frozen=True)
class Table:
    """Units as rows.

    Attributes
    ----------
    names : tuple of str
        Names of the descriptors.
    sources : list of str
        Path of each unit's source.
    start_sample, n_samples : ndarray, int64, shape (n,)
        `n_samples` is None for an original file.
    rows : ndarray, float32, shape (n, len(names))
    header : dict, optional
        Version, settings, and the facts of each source. None for an original file.
    """

    names: tuple[str, ...]
    sources: list[str]
    start_sample: np.ndarray
    n_samples: np.ndarray | None
    rows: np.ndarray
    header: dict[str, Any] | None


def _write_demiurge_json(table: Table, path: Path) -> None:
    if table.header is not None and table.header["settings"]["units"] != "frame":
        raise ParameterError("demiurge-json holds frames; choose another --format for longer units")
    starts = table.start_sample.tolist()
    with open(path, "w") as file:  # a column at a time, to keep no second copy in memory
        file.write(f'{{"_id": {json.dumps(table.sources)}, "_sample": {json.dumps(starts)}')
        for name, column in zip(table.names, table.rows.T, strict=True):
            file.write(f", {json.dumps(name)}: {json.dumps(column.tolist())}")
        file.write("}")


def _read_demiurge_json(path: Path) -> Table:
    document = json.loads(path.read_text())
    if not isinstance(document, dict):
        raise ParameterError(f"{path}: not a table of columns; give an original descriptor file")
    names = DescriptorSettings().names
    for name in ("_id", "_sample", *names):
        if name not in document:
            raise ParameterError(
                f"{path}: column {name} is missing; give an original descriptor file"
            )
    rows = np.array([document[name] for name in names], np.float32).T
    starts = np.array(document["_sample"], np.int64)
    return Table(names, [str(name) for name in document["_id"]], starts, None, rows, None)


def _write_csv(table: Table, path: Path) -> None:
    assert table.n_samples is not None
    with open(path, "w", newline="", encoding="utf-8") as file:
        file.write(f"# {json.dumps(table.header)}\n")
        writer = csv.writer(file)
        writer.writerow([*POSITION, *table.names])
        for source, start, length, row in zip(
            table.sources, table.start_sample, table.n_samples, table.rows, strict=True
        ):
            values = [f"{value:.9g}" for value in row.tolist()]  # 9 digits are exact
            writer.writerow([source, start, length, *values])


def _read_csv(path: Path) -> Table:
    with open(path, newline="", encoding="utf-8-sig") as file:  # spreadsheets write a BOM
        first = file.readline()
        if not first.startswith("# {"):
            raise ParameterError(
                f"{path}: its first line does not state its settings; give a file that demiurge db"
                " export wrote"
            )
        reader = csv.reader(file)
        columns = next(reader)
        if tuple(columns[:3]) != POSITION:
            raise ParameterError(
                f"{path}: its first columns must be {', '.join(POSITION)}; export it again"
            )
        lines = list(reader)
    for number, line in enumerate(lines, start=3):
        if len(line) != len(columns):
            raise ParameterError(
                f"{path}: row {number} has {len(line)} values for {len(columns)} columns; export it"
                " again"
            )
    return Table(
        names=tuple(columns[3:]),
        sources=[line[0] for line in lines],
        start_sample=np.array([int(line[1]) for line in lines], np.int64),
        n_samples=np.array([int(line[2]) for line in lines], np.int64),
        rows=np.array([line[3:] for line in lines], np.float32).reshape(len(lines), -1),
        header=json.loads(first[2:]),
    )


def _write_npz(table: Table, path: Path) -> None:
    assert table.n_samples is not None
    np.savez(
        path,
        header=np.array(json.dumps(table.header)),
        names=np.array(table.names),
        source=np.array(table.sources),
        start_sample=table.start_sample,
        n_samples=table.n_samples,
        descriptors=table.rows,
    )


def _read_npz(path: Path) -> Table:
    if not zipfile.is_zipfile(path):  # NumPy would advise to unpickle it
        raise ParameterError(f"{path}: not a whole .npz table; export it again")
    with zipfile.ZipFile(path) as archive:
        n_bytes = sum(entry.file_size for entry in archive.infolist())
    if n_bytes > MOST_PACKED * path.stat().st_size:  # made to fill the memory
        raise ParameterError(
            f"{path}: it unpacks to {n_bytes} bytes, the limit is {MOST_PACKED} times its size;"
            " export it again"
        )
    with np.load(path, allow_pickle=False) as arrays:
        return Table(
            names=tuple(arrays["names"].tolist()),
            sources=arrays["source"].tolist(),
            start_sample=arrays["start_sample"],
            n_samples=arrays["n_samples"],
            rows=arrays["descriptors"].astype(np.float32, copy=False),
            header=json.loads(str(arrays["header"])),
        )


def _import_arrow() -> Any:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise ParameterError(
            f"parquet needs pyarrow; install it with: {install_command('parquet')}"
        ) from None
    return pyarrow


def _write_parquet(table: Table, path: Path) -> None:
    arrow = _import_arrow()
    columns = {
        "source": arrow.array(table.sources).dictionary_encode(),
        "start_sample": table.start_sample,
        "n_samples": table.n_samples,
    }
    for name, column in zip(table.names, table.rows.T, strict=True):
        columns[name] = np.ascontiguousarray(column)
    metadata = {"demiurge": json.dumps(table.header)}
    arrow.parquet.write_table(arrow.table(columns).replace_schema_metadata(metadata), path)


def _read_parquet(path: Path) -> Table:
    stored = _import_arrow().parquet.read_table(path)
    metadata = stored.schema.metadata or {}
    names = tuple(name for name in stored.column_names if name not in POSITION)
    columns = [stored[name].to_numpy().astype(np.float32) for name in names]
    return Table(
        names=names,
        sources=stored["source"].to_pylist(),
        start_sample=stored["start_sample"].to_numpy(),
        n_samples=stored["n_samples"].to_numpy(),
        rows=np.stack(columns, axis=1),
        header=json.loads(metadata.get(b"demiurge", b"{}")),
    )


def _write_flucoma(table: Table, path: Path) -> None:
    places = [
        f"{source}:{start}" for source, start in zip(table.sources, table.start_sample, strict=True)
    ]
    data = dict(zip(places, table.rows.tolist(), strict=True))
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


def read_table(path: Path) -> Table:
    """Read a table in the format of the file's suffix.

    Raises
    ------
    ParameterError
        If the suffix is unknown, or the file is not a regular one, does not match it, is of another
        version, or has no rows.
    """
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise ParameterError(
            f"{path}: {path.suffix or 'no suffix'} is not read; give a file that ends in"
            f" {', '.join(READERS)}"
        )
    # a pipe would block, and a device may never end
    check_regular(path, error=ParameterError, remedy="give a file that demiurge db export wrote")
    try:
        with np.errstate(over="ignore"):  # rows that are not finite are refused later
            table = reader(path)
    except ParameterError:
        raise
    except Exception as error:  # parsers raise many kinds of errors for files of other formats
        raise ParameterError(
            f"{path}: not a readable {path.suffix} table ({error}); export it again"
        ) from error
    if table.header is not None:
        _check_header(path, table.header)
    n_rows = len(table.rows)
    if table.rows.ndim != 2 or n_rows == 0:
        raise ParameterError(f"{path}: it has no rows; export it again")
    if not len(table.sources) == len(table.start_sample) == n_rows:
        raise ParameterError(f"{path}: its columns have different lengths; export it again")
    return table


def _check_header(path: Path, header: Any) -> None:
    if not isinstance(header, dict) or not {"version", "settings", "sources"} <= header.keys():
        raise ParameterError(
            f"{path}: does not state its settings and sources; give a file that demiurge db export"
            " wrote"
        )
    if header["version"] != TABLE_VERSION:
        raise ParameterError(
            f"{path}: table version {header['version']}, but this Demiurge reads {TABLE_VERSION};"
            " update Demiurge"
        )
