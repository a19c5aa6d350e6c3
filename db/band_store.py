"""The spectra of a database's sources on disk: a cache, which can be measured again at any time.

A folder holds index.json, which is replaced as a whole, and the file of rows that it names:

    rows-00000.f16   little-endian float16: the bands of a frame and its pitch, source by source

Sources are known by the hash of their content. `db.band_writer` writes.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal

import numpy as np
import xxhash
from msgspec import Meta, Struct

from files.documents import read_document
from files.errors import DatabaseError
from files.names import without_name
from files.regular import check_regular

FOLDER = "bands"  # in a database
INDEX = "index.json"
FORMAT: Final = "demiurge-bands"
VERSION: Final = 1
ROWS_NAME = r"^rows-\d{5,9}\.f16$"
MAX_BYTES = 1 << 28  # of an index
REMEDY = "remove it"
ATTEMPTS = 3  # to read an index and its rows while another process replaces them

Count = Annotated[int, Meta(ge=0, le=1 << 40)]


class Span(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Where the rows of a source are: `n_rows` of them from the row `first` on.

    Bands on disk are magnitudes times 2 ** -exponent; `checksum` is of the rows on disk.
    """

    first: Count
    n_rows: Count
    exponent: Annotated[int, Meta(ge=-64, le=128)]
    checksum: str


class BandIndex(Struct, forbid_unknown_fields=True):
    """The content of index.json.

    Attributes
    ----------
    measured : dict
        What rows depend on beside the source.
    rows : str
        The file of rows; the first `n_rows` of them are complete.
    spans : dict of str to Span
        By the content hash of the source.
    """

    format: Literal["demiurge-bands"]
    version: Literal[1]
    measured: dict[str, int | float | str]
    n_columns: Annotated[int, Meta(ge=1, le=1 << 16)]
    rows: Annotated[str, Meta(pattern=ROWS_NAME)]
    n_rows: Count
    spans: dict[str, Span]


class BandStore:
    """The rows of sources in a folder.

    Parameters
    ----------
    folder : Path
        It need not exist.
    measured : dict
        As in `BandIndex`; rows that depended on something else are not used.
    n_columns : int
    live : dict of str to int
        The number of rows of each source of the database, by content hash.

    Attributes
    ----------
    index : BandIndex, optional
        None if there is none that can be used.
    spans : dict of str to Span
        Of live sources whose rows are complete.
    rows : ndarray, little-endian float16, shape (n_rows, n_columns)
        Mapped; also those of other sources.
    damage : list of tuple of str
        Files that cannot be used, or not wholly, and why.
    """

    def __init__(
        self,
        folder: Path,
        measured: Mapping[str, int | float | str],
        n_columns: int,
        live: Mapping[str, int],
    ) -> None:
        self.folder = folder
        self.measured = dict(measured)
        self.n_columns = n_columns
        self.live = live
        self._intact: set[Span] = set()
        self.read()

    @property
    def is_complete(self) -> bool:
        return len(self.spans) == len(self.live)

    @property
    def stale_rows(self) -> int:
        """The number of rows that belong to no live source."""
        return len(self.rows) - sum(span.n_rows for span in self.spans.values())

    def read(self) -> None:
        """Read the index and map the rows; what is damaged is not used."""
        self.index: BandIndex | None = None
        self.spans: dict[str, Span] = {}
        self.rows = np.empty((0, self.n_columns), "<f2")
        self.damage: list[tuple[str, str]] = []
        try:
            self.index = self._read_files()
        except DatabaseError as error:
            self.damage.append((str(self.folder / INDEX), without_name(str(error), INDEX)))
        if self.index is None:
            return
        live = {
            content_hash: span
            for content_hash, span in self.index.spans.items()
            if self.live.get(content_hash) == span.n_rows
        }
        self.spans = {name: span for name, span in live.items() if self._is_intact(span)}
        if n_damaged := len(live) - len(self.spans):
            problem = f"the rows of {n_damaged} of {len(live)} sources are damaged"
            self.damage.append((str(self.folder / self.index.rows), problem))

    def _read_files(self) -> BandIndex | None:
        for attempt in range(ATTEMPTS):
            if not (self.folder / INDEX).exists():
                return None
            index = read_index(self.folder)
            if index.measured != self.measured or index.n_columns != self.n_columns:
                return None
            try:
                self.rows = map_rows(self.folder, index)
            except DatabaseError:  # another process may have replaced it
                if attempt + 1 == ATTEMPTS:
                    raise
            else:
                return index
        return None

    def _is_intact(self, span: Span) -> bool:
        if span not in self._intact and is_intact(self.rows, span):
            self._intact.add(span)
        return span in self._intact


def read_index(folder: Path) -> BandIndex:
    """Read the index of a folder.

    Raises
    ------
    DatabaseError
        If it is damaged.
    """
    return read_document(
        folder / INDEX, BandIndex, error=DatabaseError, remedy=REMEDY, max_bytes=MAX_BYTES
    )


def rows_files(folder: Path) -> list[Path]:
    """Return the files of rows in a folder, of this index and of others."""
    return [path for path in folder.glob("rows-*.f16") if re.match(ROWS_NAME, path.name)]


def map_rows(folder: Path, index: BandIndex) -> np.ndarray:
    """Map the rows of an index, little-endian float16, shape (n_rows, n_columns).

    Raises
    ------
    DatabaseError
        If the file is missing or too short.
    """
    path = folder / index.rows
    check_regular(path, error=DatabaseError, remedy=REMEDY)
    needed = 2 * index.n_rows * index.n_columns
    if (n_bytes := path.stat().st_size) < needed:
        raise DatabaseError(f"{path} is {n_bytes} bytes long, but {needed} were written")
    if not index.n_rows:
        return np.empty((0, index.n_columns), "<f2")
    return np.memmap(path, "<f2", "r", shape=(index.n_rows, index.n_columns))


def checksum(rows: np.ndarray) -> str:
    """Return the XXH3-64 of rows as they are on disk, in hex digits."""
    return xxhash.xxh3_64_hexdigest(np.ascontiguousarray(rows, "<f2").data.cast("B"))


def is_intact(rows: np.ndarray, span: Span) -> bool:
    """Return whether the rows of a source are those that were written."""
    own = rows[span.first : span.first + span.n_rows]
    return len(own) == span.n_rows and checksum(own) == span.checksum
