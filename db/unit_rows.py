"""The descriptors of units, mapped from the shards and checked when first read."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from db.shards import checksum, map_shard, rows_per_shard, shard_path
from db.source import Source
from files.errors import DatabaseError
from files.names import quoted


class UnitRows:
    """Descriptor rows of all units of a database.

    Parameters
    ----------
    path : Path
        The database's folder.
    sources : sequence of Source
    kind : str
        The kind of rows that describe units, see `db.manifest.unit_row_kind`.
    n_columns : int
    shard_rows : dict of int to int
        Number of committed rows in each shard.

    Attributes
    ----------
    all_intact : bool
        True once the rows of all sources have been checked.
    """

    def __init__(
        self,
        path: Path,
        sources: Sequence[Source],
        *,
        kind: str,
        n_columns: int,
        shard_rows: dict[int, int],
    ) -> None:
        self._path = path
        self._sources = sources
        self._kind = kind
        self._n_columns = n_columns
        self._shard_rows = shard_rows
        self._capacity = rows_per_shard(n_columns)
        self._intact = np.zeros(len(sources), bool)
        self.all_intact = False

    @cached_property
    def _shards(self) -> dict[int, np.ndarray]:
        folder = self._path / "shards"
        return {
            shard: map_shard(shard_path(folder, self._kind, shard), n_rows, self._n_columns)
            for shard, n_rows in self._shard_rows.items()
        }

    def of_source(self, number: int) -> np.ndarray:
        """Return the rows of the source at a position in `sources`, shape (n_units, n_columns).

        Raises
        ------
        DatabaseError
            If they are damaged on disk.
        """
        source = self._sources[number]
        shard, first = divmod(source.first_unit, self._capacity)
        rows = self._shards[shard][first : first + source.n_units]
        if not self._intact[number]:
            if checksum(rows) != source.checksum:
                raise DatabaseError(
                    f"{self._path}: the descriptors of {source.path} are damaged on disk; run"
                    f" demiurge db verify --repair {quoted(self._path)}, then demiurge db build"
                )
            self._intact[number] = True
        return rows

    def check(self, numbers: np.ndarray) -> None:
        """Check the rows of sources that have not been read yet.

        Raises
        ------
        DatabaseError
            If some are damaged on disk.
        """
        unread = numbers[~self._intact[numbers]]
        if len(unread):
            for number in np.unique(unread):
                self.of_source(number)
            self.all_intact = bool(self._intact.all())

    def take(self, ids: np.ndarray) -> np.ndarray:
        """Return the rows of known unit ids, unchecked; shape (len(ids), n_columns)."""
        if len(self._shards) == 1:
            ((shard, rows),) = self._shards.items()
            return rows.take(ids - shard * self._capacity, axis=0)
        return self._take_from_many(ids)

    def _take_from_many(self, ids: np.ndarray) -> np.ndarray:
        shards, rows = np.divmod(ids, self._capacity)
        taken = np.empty((len(ids), self._n_columns), np.float32)
        for shard in np.unique(shards):
            own = shards == shard
            taken[own] = self._shards[int(shard)][rows[own]]
        return taken


def unit_spans(sources: Sequence[Source]) -> np.ndarray:
    """Return the `spans` of `frame_rows` if units are frames."""
    spans = [
        (source.id, source.first_unit, source.n_units, source.checksum)
        for source in sources
        if source.is_stored
    ]
    return np.array(spans, np.int64).reshape(-1, 4)


def frame_rows(
    path: Path,
    sources: Sequence[Source],
    *,
    spans: np.ndarray,
    n_columns: int,
    shard_rows: dict[int, int],
) -> UnitRows:
    """Return the frames of a database, whatever its units are; empty for a source without any.

    Parameters
    ----------
    spans : ndarray, int64, shape (n_sources, 4)
        The id, first row, number of rows and CRC-32 of each source.
    """
    by_id = {source: span for source, *span in spans.tolist()}
    with_frames = []
    for source in sources:
        first, n_rows, crc = by_id.get(source.id, (0, 0, 0))
        with_frames.append(source._replace(first_unit=first, n_units=n_rows, checksum=crc))
    return UnitRows(path, with_frames, kind="frames", n_columns=n_columns, shard_rows=shard_rows)
