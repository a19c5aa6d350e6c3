"""Write the spectra of sources to disk.

Rows are appended and flushed before the index names them, so that a program that is killed loses
what it measured since the last flush. A file of rows is never shortened to fewer than an index
named, since readers map it; where it is of no more use, a new one takes its place.
"""

import logging
import os
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from typing import BinaryIO

import msgspec
import numpy as np

from db.band_store import (
    FORMAT,
    INDEX,
    VERSION,
    BandIndex,
    BandStore,
    Span,
    checksum,
    rows_files,
)
from files.atomic import replacing, writing_errors
from files.errors import DatabaseError
from files.lock import locked

LOCK = "writer.lock"
MOST_STALE = 0.2  # share of the rows that may belong to sources that are gone

log = logging.getLogger(__name__)


@contextmanager
def writing(store: BandStore) -> Iterator["BandWriter"]:
    """Hold the lock of a store's folder, and read the store again as it is then.

    A process that writes there already is waited for.

    Raises
    ------
    ParameterError
        If the folder cannot be written.
    """
    folder = store.folder
    with writing_errors(folder), ExitStack() as stack:
        folder.mkdir(parents=True, exist_ok=True)
        busy = _BusyError(f"{folder}: another process writes to it; waiting until it ends")
        try:
            stack.enter_context(locked(folder / LOCK, busy))
        except _BusyError:
            log.warning("%s", busy)
            stack.enter_context(locked(folder / LOCK, busy, wait=True))
        store.read()
        yield stack.enter_context(closing(BandWriter(store)))


class _BusyError(DatabaseError):
    """Another process writes."""


class BandWriter:
    """Appends the rows of sources to a store whose folder is locked."""

    def __init__(self, store: BandStore) -> None:
        self._store = store
        self._spans = dict(store.index.spans) if store.index else {}
        self._n_rows = len(store.rows)
        self._waiting: dict[str, Span] = {}
        if store.index is None:
            self._begin_file()
        else:
            self._path = store.folder / store.index.rows
            self._file: BinaryIO = open(self._path, "r+b")  # noqa: SIM115  closed by close()
            self._file.truncate(2 * self._n_rows * store.n_columns)
            self._file.seek(0, os.SEEK_END)

    def _begin_file(self) -> None:
        folder = self._store.folder
        numbers = [int(path.stem[5:]) for path in rows_files(folder)]
        self._path = folder / f"rows-{max(numbers, default=-1) + 1:05d}.f16"
        self._file = open(self._path, "xb")  # noqa: SIM115  closed by close()
        self._spans = {}
        self._n_rows = 0

    def append(self, content_hash: str, rows: np.ndarray, exponent: int) -> None:
        """Append the rows of a source, float16; they are kept from the next `flush` on."""
        content = np.ascontiguousarray(rows, "<f2")
        self._file.write(content.data.cast("B"))
        span = Span(self._n_rows, len(content), exponent, checksum(content))
        self._waiting[content_hash] = span
        self._n_rows += len(content)

    def flush(self) -> None:
        """Flush what was appended to the disk, then let the index name it."""
        if self._waiting:
            self._save()

    def _save(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._spans |= self._waiting
        self._waiting = {}
        store = self._store
        index = BandIndex(
            FORMAT,
            VERSION,
            store.measured,
            store.n_columns,
            self._path.name,
            self._n_rows,
            self._spans,
        )
        with replacing(store.folder / INDEX) as temporary:
            temporary.write_bytes(msgspec.json.encode(index))
        for path in rows_files(store.folder):
            if path != self._path:
                with suppress(OSError):  # Windows keeps what is mapped
                    path.unlink()

    def drop_stale(self) -> None:
        """Write the intact rows of live sources to a new file, without all others."""
        store = self._store
        self._file.close()
        self._begin_file()
        for content_hash, span in store.spans.items():
            rows = store.rows[span.first : span.first + span.n_rows]
            self.append(content_hash, rows, span.exponent)
        self._save()

    def close(self) -> None:
        self._file.close()
        self._store.read()


def has_much_stale(store: BandStore) -> bool:
    """Return whether more than `MOST_STALE` of a store's rows are of sources that are gone."""
    return store.stale_rows > MOST_STALE * len(store.rows)
