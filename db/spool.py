"""Collect arrays in memory, or on disk once they are large."""

from collections.abc import Iterator
from tempfile import SpooledTemporaryFile

import numpy as np

# about half an hour of mel bands; those of longer files wait on disk until the peak is known
SPOOL_BYTES = 48 << 20


class Spool:
    """A list of two-dimensional float32 arrays that can be read as often as needed."""

    def __init__(self, memory_bytes: int = SPOOL_BYTES) -> None:
        self._file = SpooledTemporaryFile(memory_bytes)  # noqa: SIM115  closed by close()
        self._shapes: list[tuple[int, ...]] = []

    def append(self, block: np.ndarray) -> None:
        block = np.ascontiguousarray(block, np.float32)
        self._shapes.append(block.shape)
        self._file.write(block.data)

    def close(self) -> None:
        self._file.close()

    def __iter__(self) -> Iterator[np.ndarray]:
        self._file.seek(0)
        for shape in self._shapes:
            content = self._file.read(4 * shape[0] * shape[1])
            yield np.frombuffer(content, np.float32).reshape(shape)
