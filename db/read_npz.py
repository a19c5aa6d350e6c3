"""Read units from an NPZ file, whose arrays may be of any size that their headers state."""

import math
import tokenize
import zipfile
from pathlib import Path

import numpy as np

from db.table_header import EXPORT_AGAIN, MAX_BINARY, MAX_HEADER, parse_header
from db.tables import POSITION, Table
from files.errors import ParameterError
from files.regular import check_regular

MOST_EXPANSION = 64  # of compressed arrays

# what NumPy raises for the header of an array, a Python literal
HEADER_ERRORS = (
    ValueError,
    SyntaxError,
    TypeError,
    MemoryError,
    RecursionError,
    tokenize.TokenError,
)


def read_npz(path: Path) -> Table:
    check_regular(path, error=ParameterError, remedy=EXPORT_AGAIN, max_bytes=MAX_BINARY)
    with zipfile.ZipFile(path) as archive:
        texts = {name: _read_array(archive, path, name, "U", 1) for name in ("names", "source")}
        places = {name: _read_array(archive, path, name, "iu", 1) for name in POSITION[1:]}
        rows = _read_array(archive, path, "descriptors", "f", 2)
        header = str(_read_array(archive, path, "header", "U", 0))
    return Table(
        names=tuple(texts["names"].tolist()),
        sources=texts["source"].tolist(),
        start_sample=places["start_sample"].astype(np.int64),
        n_samples=places["n_samples"].astype(np.int64),
        rows=rows.astype(np.float32, copy=False),
        header=parse_header(path, header.encode(errors="replace")),
    )


def _read_array(
    archive: zipfile.ZipFile, path: Path, name: str, kinds: str, n_dimensions: int
) -> np.ndarray:
    """Read an array of an NPZ file, whose header must tell the size that it has there."""
    if f"{name}.npy" not in archive.namelist():
        raise ParameterError(f"{path}: {name} is missing; {EXPORT_AGAIN}")
    info = archive.getinfo(f"{name}.npy")
    if info.file_size > min(MAX_BINARY, MOST_EXPANSION * info.compress_size + MAX_HEADER):
        raise ParameterError(
            f"{path}: {name} would take {info.file_size} bytes, {info.compress_size} are there;"
            f" {EXPORT_AGAIN}"
        )
    with archive.open(info) as file:
        version = np.lib.format.read_magic(file)
        read_header = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }.get(version)
        if read_header is None:
            raise ValueError(f"{name} is of version {version}")
        try:
            shape, _, dtype = read_header(file)
        except HEADER_ERRORS as error:  # whose words are about Python
            raise ParameterError(
                f"{path}: the header of {name} is not readable; {EXPORT_AGAIN}"
            ) from error
        n_bytes = math.prod(shape) * dtype.itemsize
        if dtype.kind not in kinds or len(shape) != n_dimensions or min(shape, default=0) < 0:
            raise ParameterError(f"{path}: {name} is {dtype} of shape {shape}; {EXPORT_AGAIN}")
        if n_bytes != info.file_size - file.tell():
            raise ParameterError(
                f"{path}: {name} states {n_bytes} bytes, it has {info.file_size - file.tell()};"
                f" {EXPORT_AGAIN}"
            )
    with archive.open(info) as file:
        return np.lib.format.read_array(file, allow_pickle=False)
