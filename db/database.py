"""A descriptor database, opened for reading.

Many readers may be open while one builder (`db.build`) writes: a reader sees what was committed when it opened.
"""

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np

from db.errors import DatabaseError
from db.manifest import open_manifest
from db.normaliser import Normaliser
from db.settings import DescriptorSettings
from db.shards import map_shard, rows_per_shard


@dataclass(frozen=True)
class Source:
    """One analysed audio file. `n_samples` is at the database's sample rate; `first_unit` is its first unit's id."""

    id: int
    path: str
    sample_rate: int
    channels: int
    n_samples: int
    first_unit: int
    n_units: int


@dataclass(frozen=True)
class Failure:
    """A file that could not be analysed, and why."""

    path: str
    error: str


@dataclass(frozen=True)
class Units:
    """What can be selected and played, column by column; all int64, shape (n_units,), ordered by id.

    `source` is a position in `Database.sources`. Units tile each source from sample 0 to its end.
    """

    ids: np.ndarray
    source: np.ndarray
    start_sample: np.ndarray
    n_samples: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)


class Database:
    """Sources, units and descriptors of a corpus.

    Attributes
    ----------
    path : Path
    id : str
        Made at random when the database was made.
    root : Path
        The corpus folder; the paths of sources are relative to it.
    settings : DescriptorSettings
    sources : list of Source
        Analysed sources in the order of their rows, so that units, descriptors and sources are ordered alike.
    failures : list of Failure
    """

    def __init__(self, path: str | Path, *, root: str | Path | None = None) -> None:
        """Open the database in folder `path`; `root` re-points it at a corpus that has moved.

        Raises
        ------
        DatabaseError
            If there is none, it is damaged, or of another version.
        """
        self.path = Path(path)
        connection = open_manifest(self.path, write=False)
        try:
            self._read(connection)
        except (sqlite3.DatabaseError, KeyError, ValueError) as error:
            raise DatabaseError(
                f"{self.path}: the manifest is damaged ({error}); restore it from a copy or build again"
            ) from error
        finally:
            connection.close()
        if root is not None:
            self.root = Path(root).absolute()
            if not self.root.is_dir():
                raise DatabaseError(f"{root}: no such folder; give the corpus folder of {self.path} as root")

    def _read(self, connection: sqlite3.Connection) -> None:
        config = dict(connection.execute("SELECT key, value FROM config"))
        self.id, self.root = config["id"], Path(config["root"])
        self.settings = DescriptorSettings.from_dict(json.loads(config["descriptors"]))
        capacity = rows_per_shard(self.settings.n_descriptors)
        query = (
            "SELECT s.id, path, sample_rate, channels, n_samples, shard * ? + first_row, n_rows "
            "FROM sources s JOIN spans ON source_id = s.id ORDER BY shard, first_row"
        )
        self.sources = [Source(*row) for row in connection.execute(query, (capacity,))]
        failed = connection.execute("SELECT path, error FROM sources WHERE state = 'failed' ORDER BY path")
        self.failures = [Failure(*row) for row in failed]
        self._shard_rows = dict(connection.execute("SELECT shard, n_rows FROM shards"))
        stored = connection.execute("SELECT mean, std FROM normaliser").fetchone()
        self._normaliser = Normaliser(*(np.frombuffer(blob, "<f4") for blob in stored)) if stored else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.__dict__.pop("_shards", None)

    @property
    def sample_rate(self) -> int:
        return self.settings.sample_rate

    @property
    def hop_length(self) -> int:
        return self.settings.hop_length

    @property
    def n_units(self) -> int:
        return sum(source.n_units for source in self.sources)

    @property
    def normaliser(self) -> Normaliser:
        """Mean and standard deviation over all rows.

        Raises
        ------
        DatabaseError
            If the database holds no units, or its build was interrupted before the first commit was complete.
        """
        if self._normaliser is None or not self.sources:
            raise DatabaseError(f"{self.path} holds no units; add audio with: demiurge db build AUDIO_DIR {self.path}")
        return self._normaliser

    @cached_property
    def _shards(self) -> dict[int, np.ndarray]:
        folder, n_descriptors = self.path / "shards", self.settings.n_descriptors
        return {shard: map_shard(folder, shard, rows, n_descriptors) for shard, rows in self._shard_rows.items()}

    def source_descriptors(self, source: Source) -> np.ndarray:
        """The sequence of one source, float32, shape (n_units, n_descriptors), straight from disk."""
        shard, first = divmod(source.first_unit, rows_per_shard(self.settings.n_descriptors))
        return self._shards[shard][first : first + source.n_units]

    def sequences(self) -> Iterator[tuple[str, np.ndarray]]:
        """(path, sequence) of every source."""
        return ((source.path, self.source_descriptors(source)) for source in self.sources)

    @cached_property
    def descriptors(self) -> np.ndarray:
        """All units' descriptors in memory, float32, shape (n_units, n_descriptors), ordered as `units`."""
        if not self.sources:
            return np.empty((0, self.settings.n_descriptors), np.float32)
        return np.concatenate([rows for _, rows in self.sequences()])

    @cached_property
    def units(self) -> Units:
        """Every unit, ordered by id."""
        counts = np.array([source.n_units for source in self.sources], np.int64)
        source = np.repeat(np.arange(len(counts)), counts)
        first_position = np.cumsum(counts) - counts
        step = np.arange(counts.sum()) - first_position[source]
        first_unit = np.array([s.first_unit for s in self.sources], np.int64)
        length = np.array([s.n_samples for s in self.sources], np.int64)
        start = step * self.hop_length
        return Units(first_unit[source] + step, source, start, np.minimum(self.hop_length, length[source] - start))
