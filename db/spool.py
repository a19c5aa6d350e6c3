"""Collect arrays in memory, or on disk once they are large."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager
from tempfile import SpooledTemporaryFile

import numpy as np

from files.atomic import writing_errors

# about half an hour of mel bands; those of longer files wait on disk until the peak is known
SPOOL_BYTES = 48 << 20


class Spool:
    """A list of two-dimensional float32 arrays that can be read as often as needed.

    Raises
    ------
    ParameterError
        If the folder for temporary files cannot take them.
    """

    def __init__(self, memory_bytes: int = SPOOL_BYTES) -> None:
        self._file = SpooledTemporaryFile(memory_bytes)  # noqa: SIM115  closed by close()
        self._shapes: list[tuple[int, ...]] = []

    def append(self, block: np.ndarray) -> None:
        block = np.ascontiguousarray(block, np.float32)
        self._shapes.append(block.shape)
        with _writing_errors():
            self._file.write(block.data)

    def close(self) -> None:
        self._file.close()

    def __iter__(self) -> Iterator[np.ndarray]:
        with _writing_errors():
            self._file.seek(0)  # which writes what waits in memory
        for shape in self._shapes:
            content = self._file.read(4 * shape[0] * shape[1])
            yield np.frombuffer(content, np.float32).reshape(shape)


def _writing_errors() -> AbstractContextManager[None]:
    folder = os.environ.get("TMPDIR", "the folder for temporary files")
    remedy = "free some space there, or name another folder with the environment variable TMPDIR"
    return writing_errors(folder, remedy)
