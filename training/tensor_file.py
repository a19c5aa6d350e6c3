"""Read files that torch.save wrote. Code in them is refused, never run."""

import zipfile
from pathlib import Path
from typing import Any

import torch

from files.errors import CheckpointError
from files.regular import open_regular


def load_tensors(path: str | Path, *, remedy: str) -> Any:
    """Read tensors, plain values, lists and dicts of them, onto the CPU.

    Raises
    ------
    CheckpointError
        If the file cannot be read, is no such file, holds code, or would take more memory than
        it takes on the disk.
    """
    with open_regular(path, error=CheckpointError, remedy=remedy) as file:
        if zipfile.is_zipfile(file):
            _check_stored(path, file, remedy)
        file.seek(0)
        try:
            return torch.load(file, map_location="cpu", weights_only=True)
        except Exception as error:  # what unpickling and unpacking raise has no common class
            raise CheckpointError(
                f"{path}: damaged, or holds code, which is never run; {remedy}"
            ) from error


def _check_stored(path: str | Path, file: Any, remedy: str) -> None:
    """Refuse parts that are compressed, or overlap: torch writes neither."""
    n_bytes = file.seek(0, 2)
    try:
        with zipfile.ZipFile(file) as archive:
            parts = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError) as error:
        raise CheckpointError(f"{path}: damaged ({error}); {remedy}") from error
    are_stored = all(part.compress_type == zipfile.ZIP_STORED for part in parts)
    if not are_stored or sum(part.file_size for part in parts) > n_bytes:
        raise CheckpointError(f"{path}: damaged (its parts are compressed or overlap); {remedy}")
