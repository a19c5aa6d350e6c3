"""Read units from a table, in formats of other programs; `db.tables` has the formats.

Nothing in a file is believed: sizes are checked before anything is allocated, and every value has a
type and a range.
"""

import csv
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from msgspec import Meta

from audio.read import MAX_SAMPLES
from db.read_npz import read_npz
from db.sequence_file import parse_column, parse_columns, parse_rows
from db.settings import DescriptorSettings
from db.table_header import EXPORT_AGAIN, MAX_BINARY, MAX_HEADER, parse_header
from db.tables import POSITION, Table, import_arrow
from files.documents import SHOWN
from files.errors import ParameterError
from files.regular import check_regular, read_regular

MAX_TEXT = 1 << 31  # bytes of JSON or CSV
MOST_VALUES = 1 << 30

Position = Annotated[int, Meta(ge=0, le=MAX_SAMPLES)]

# what the parsers of CSV, ZIP archives, NumPy's arrays and Parquet raise for damaged files
READING_ERRORS = (
    OSError,
    ValueError,  # numbers, letters that are not UTF-8, arrays with pickles, Parquet
    csv.Error,
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,  # a ZIP archive with another compression
    RuntimeError,  # an encrypted one
    OverflowError,
)


def _read_demiurge_json(path: Path) -> Table:
    data = read_regular(path, error=ParameterError, remedy=EXPORT_AGAIN, max_bytes=MAX_TEXT)
    columns = parse_columns(data, str(path), "give an original descriptor file")
    names = DescriptorSettings().names
    rows = parse_rows(columns, names, str(path))
    for name in ("_id", "_sample"):
        if name not in columns:
            raise ParameterError(
                f"{path}: column {name} is missing; give an original descriptor file"
            )
    sources = parse_column(columns, "_id", str, str(path))
    starts = parse_column(columns, "_sample", Position, str(path))
    return Table(names, sources, np.array(starts, np.int64), None, rows, None)


@np.errstate(over="ignore")  # what is not finite is refused later
def _read_csv(path: Path) -> Table:
    check_regular(path, error=ParameterError, remedy=EXPORT_AGAIN, max_bytes=MAX_TEXT)
    with open(path, newline="", encoding="utf-8-sig") as file:  # spreadsheets write a BOM
        first = file.readline(MAX_HEADER)
        if not first.startswith("# {"):
            raise ParameterError(
                f"{path}: its first line does not state its settings; give a file that demiurge db"
                " export wrote"
            )
        header = parse_header(path, first[2:].encode())
        reader = csv.reader(file)
        columns = next(reader, [])
        if tuple(columns[:3]) != POSITION:
            raise ParameterError(
                f"{path}: its first columns must be {', '.join(POSITION)}; export it again"
            )
        sources = []
        positions = []
        rows = []
        for line in reader:
            if len(line) != len(columns):
                raise ParameterError(
                    f"{path}: line {reader.line_num + 1} has {len(line)} values, the first has"
                    f" {len(columns)}; export it again"
                )
            sources.append(line[0])
            try:
                positions.append([int(line[1]), int(line[2])])
                rows.append(np.array(line[3:], np.float32))
            except ValueError as error:
                wrong = f"line {reader.line_num + 1}: {_wrong_cell(columns, line)}"
                raise ParameterError(f"{path}: {wrong}; {EXPORT_AGAIN}") from error
    starts, lengths = np.array(positions, np.int64).reshape(-1, 2).T
    stacked = np.array(rows, np.float32).reshape(len(rows), -1)
    return Table(tuple(columns[3:]), sources, starts, lengths, stacked, header)


def _wrong_cell(columns: list[str], line: list[str]) -> str:
    """Say which value of a line is no number of its kind."""
    for name, cell in zip(columns[1:], line[1:], strict=True):
        kind, words = (int, "an integer") if name in POSITION else (float, "a number")
        try:
            kind(cell)
        except ValueError:
            return f"{name}={cell[:SHOWN]!r} must be {words}"
    return "its values must be numbers"


def _read_parquet(path: Path) -> Table:
    arrow = import_arrow()
    check_regular(path, error=ParameterError, remedy=EXPORT_AGAIN, max_bytes=MAX_BINARY)
    try:
        with arrow.parquet.ParquetFile(path) as file:
            facts = file.metadata
            if facts.num_rows * max(facts.num_columns, 1) > MOST_VALUES:
                raise ParameterError(
                    f"{path}: {facts.num_rows} rows of {facts.num_columns} columns are more than"
                    f" {MOST_VALUES} values; {EXPORT_AGAIN}"
                )
            metadata = file.schema_arrow.metadata or {}
            return _arrow_table(arrow, path, file.read(), metadata.get(b"demiurge", b"{}"))
    except arrow.ArrowException as error:
        raise ValueError(str(error)) from error


def _arrow_table(arrow: Any, path: Path, stored: Any, header: bytes) -> Table:
    names = tuple(name for name in stored.column_names if name not in POSITION)
    kinds = dict.fromkeys(names, (_is_float, "numbers"))
    kinds |= dict.fromkeys(POSITION[1:], (arrow.types.is_integer, "integers"))
    for name, (is_kind, words) in {**kinds, "source": (_is_text, "text")}.items():
        if stored.column_names.count(name) != 1:
            raise ParameterError(f"{path}: there must be one column {name}; {EXPORT_AGAIN}")
        column = stored[name]
        if not is_kind(column.type) or column.null_count:
            raise ParameterError(
                f"{path}: column {name} must hold {words}, and no gaps; {EXPORT_AGAIN}"
            )
    columns = [stored[name].to_numpy().astype(np.float32) for name in names]
    return Table(
        names=names,
        sources=stored["source"].to_pylist(),
        start_sample=stored["start_sample"].to_numpy().astype(np.int64),
        n_samples=stored["n_samples"].to_numpy().astype(np.int64),
        rows=np.stack(columns, axis=1) if columns else np.empty((0, 0), np.float32),
        header=parse_header(path, header),
    )


def _is_float(kind: Any) -> bool:
    return import_arrow().types.is_floating(kind)


def _is_text(kind: Any) -> bool:
    types = import_arrow().types
    return types.is_string(kind) or (types.is_dictionary(kind) and types.is_string(kind.value_type))


READERS: dict[str, Callable[[Path], Table]] = {
    ".json": _read_demiurge_json,
    ".csv": _read_csv,
    ".npz": read_npz,
    ".parquet": _read_parquet,
}


def read_table(path: Path) -> Table:
    """Read a table in the format of the file's suffix.

    Raises
    ------
    ParameterError
        If the suffix is unknown, or the file does not match it, is of another version, or has no
        rows.
    """
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise ParameterError(
            f"{path}: {path.suffix or 'no suffix'} is not read; give a file that ends in"
            f" {', '.join(READERS)}"
        )
    try:
        table = reader(path)
    except ParameterError:  # a ValueError as well
        raise
    except READING_ERRORS as error:
        is_text = not isinstance(error, UnicodeDecodeError)
        why = " ".join(str(error).split()) if is_text else "its text is not UTF-8"
        kind = f"not a readable {path.suffix} table ({why})"
        raise ParameterError(f"{path}: {kind}; {EXPORT_AGAIN}") from error
    n_rows = len(table.rows)
    if table.rows.ndim != 2 or n_rows == 0:
        raise ParameterError(f"{path}: it has no rows; export it again")
    lengths = {len(table.sources), len(table.start_sample), n_rows}
    if table.n_samples is not None:
        lengths.add(len(table.n_samples))
    if len(lengths) > 1 or len(table.names) != table.rows.shape[1]:
        raise ParameterError(f"{path}: its columns have different lengths; export it again")
    return table
