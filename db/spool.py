"""Arrays put aside until they are all there; in memory as long as they are few."""

from collections.abc import Iterator
from tempfile import SpooledTemporaryFile

import numpy as np

# mel bands of longer files (half an hour) wait on disk until the file's peak is known
SPOOL_BYTES = 48 << 20


class Spool:
    """float32 arrays of two dimensions, kept in order, to be read as often as needed."""

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
