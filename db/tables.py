"""Write units as a table, in formats of other programs; `db.read_table` reads them.

demiurge-json   the original Demiurge's columns: _id, _sample, mfcc0, …      in and out
csv             source, start_sample, n_samples, and a column each           in and out
npz             the same as NumPy arrays                                     in and out
parquet         the same as an Arrow table (extra "parquet")                 in and out
flucoma         a dataset of FluCoMa's fluid.dataset~, "path:start_sample"   out

demiurge-json holds neither settings nor facts of the sources; in a CSV, the first line holds both.
"""

import csv
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from files.errors import ParameterError, install_command

TABLE_VERSION = 1
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


def import_arrow() -> Any:
    """Return PyArrow; raise a `ParameterError` if it is not installed."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise ParameterError(
            f"parquet needs pyarrow; install it with: {install_command('parquet')}"
        ) from None
    return pyarrow


def _write_parquet(table: Table, path: Path) -> None:
    arrow = import_arrow()
    columns = {
        "source": arrow.array(table.sources).dictionary_encode(),
        "start_sample": table.start_sample,
        "n_samples": table.n_samples,
    }
    for name, column in zip(table.names, table.rows.T, strict=True):
        columns[name] = np.ascontiguousarray(column)
    metadata = {"demiurge": json.dumps(table.header)}
    arrow.parquet.write_table(arrow.table(columns).replace_schema_metadata(metadata), path)


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
