"""Units as a table, in the files of other programs.

demiurge-json   the original Demiurge's columns: _id, _sample, mfcc0, …       in and out; paths, positions, rows
csv             source, start_sample, n_samples, one column each              in and out; the header in the first line
npz             the same as NumPy arrays                                      in and out
parquet         the same as an Arrow table (extra "parquet")                  in and out
flucoma         a dataset of FluCoMa's fluid.dataset~, "path:start_sample"    out
"""

import csv
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from db.settings import DescriptorSettings
from files.errors import ParameterError, install_command

TABLE_VERSION = 1
POSITION = ("source", "start_sample", "n_samples")


@dataclass(frozen=True)
class Table:
    """Units as rows: `sources` paths, positions int64 (n,), `rows` float32 (n, len(names)).

    `header` holds the settings and what is known of each source; None for an original file, which
    states neither.
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
    if not isinstance(document, dict) or (
        missing := [k for k in ("_id", "_sample", *names) if k not in document]
    ):
        raise ParameterError(
            f"{path}: column {missing[0] if isinstance(document, dict) else '_id'} is missing"
        )
    rows = np.array([document[name] for name in names], np.float32).T
    starts = np.array(document["_sample"], np.int64)
    return Table(names, [str(name) for name in document["_id"]], starts, None, rows, None)


def _write_csv(table: Table, path: Path) -> None:
    with open(path, "w", newline="", encoding="utf-8") as file:
        file.write(f"# {json.dumps(table.header)}\n")
        writer = csv.writer(file)
        writer.writerow([*POSITION, *table.names])
        assert table.n_samples is not None
        for source, start, length, row in zip(
            table.sources, table.start_sample, table.n_samples, table.rows, strict=True
        ):
            writer.writerow(
                [source, start, length, *(f"{value:.9g}" for value in row.tolist())]
            )  # 9 digits are exact


def _read_csv(path: Path) -> Table:
    with open(path, newline="", encoding="utf-8") as file:
        first = file.readline()
        if not first.startswith("# {"):
            raise ParameterError(
                f"{path}: its first line does not state its settings; give a file that demiurge db"
                " export wrote"
            )
        reader = csv.reader(file)
        columns = next(reader)
        if tuple(columns[:3]) != POSITION:
            raise ParameterError(f"{path}: its first columns must be {', '.join(POSITION)}")
        lines = list(reader)
    starts, lengths = (np.array([int(line[i]) for line in lines], np.int64) for i in (1, 2))
    rows = np.array([line[3:] for line in lines], np.float32).reshape(len(lines), -1)
    return Table(
        tuple(columns[3:]),
        [line[0] for line in lines],
        starts,
        lengths,
        rows,
        json.loads(first[2:]),
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
    with np.load(path, allow_pickle=False) as arrays:
        return Table(
            tuple(arrays["names"].tolist()),
            arrays["source"].tolist(),
            arrays["start_sample"],
            arrays["n_samples"],
            arrays["descriptors"].astype(np.float32, copy=False),
            json.loads(str(arrays["header"])),
        )


def _arrow() -> Any:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise ParameterError(
            f"parquet needs pyarrow; install it with: {install_command('parquet')}"
        ) from None
    return pyarrow


def _write_parquet(table: Table, path: Path) -> None:
    arrow = _arrow()
    columns = {"source": arrow.array(table.sources).dictionary_encode()}
    columns |= {"start_sample": table.start_sample, "n_samples": table.n_samples}
    columns |= {
        name: np.ascontiguousarray(column)
        for name, column in zip(table.names, table.rows.T, strict=True)
    }
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


def read_table(path: Path) -> Table:
    """Read a table in the format that the file's suffix says.

    Raises
    ------
    ParameterError
        If there is no such format, the file is not what its suffix says, is of another version, or
        has no rows.
    """
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise ParameterError(
            f"{path}: {path.suffix or 'no suffix'} is not read; give a file that ends in"
            f" {', '.join(READERS)}"
        )
    try:
        table = reader(path)
    except ParameterError:
        raise
    except Exception as error:  # whatever a parser makes of a file that is not what its name says
        raise ParameterError(
            f"{path}: not a readable {path.suffix} table ({error}); export it again"
        ) from error
    if table.header is not None:
        _check_header(path, table.header)
    if (
        table.rows.ndim != 2
        or not len(table.sources) == len(table.start_sample) == len(table.rows) > 0
    ):
        raise ParameterError(
            f"{path}: its columns have different lengths or no rows; export it again"
        )
    return table


def _check_header(path: Path, header: Any) -> None:
    if not isinstance(header, dict) or not {"version", "settings", "sources"} <= header.keys():
        raise ParameterError(
            f"{path}: does not state its settings and sources; give a file that demiurge db export"
            " wrote"
        )
    if header["version"] != TABLE_VERSION:
        raise ParameterError(
            f"{path}: table version {header['version']}, this Demiurge reads {TABLE_VERSION};"
            " update Demiurge"
        )
