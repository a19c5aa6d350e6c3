"""A descriptor database, opened for reading.

Many readers may be open while one builder (`db.build`) writes: a reader sees what was committed
when it opened.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from db.manifest import SPAN_TABLES, find_root, kinds, open_manifest
from db.normaliser import Normaliser
from db.settings import DescriptorSettings
from db.shards import checksum, map_shard, rows_per_shard, shard_path
from files.errors import DatabaseError, ParameterError


class Source(NamedTuple):
    """One analysed audio file.

    `n_samples` is at the database's sample rate; `first_unit` is its first unit's id.

    `shard` and `first_row` say where its frames are.
    """

    id: int
    path: str
    sample_rate: int
    channels: int
    n_samples: int
    first_unit: int
    n_units: int
    shard: int
    first_row: int
    n_frames: int


@dataclass(frozen=True)
class Failure:
    """A file that could not be analysed, and why."""

    path: str
    error: str


@dataclass(frozen=True)
class Units:
    """What can be selected and played, column by column; all int64, shape (n_units,), ordered by
    id.

    `source` is a position in `Database.sources`. Units tile each source from sample 0 to its end;
    `room` is how many samples there are from a unit's start to the end of its source.
    """

    ids: np.ndarray
    source: np.ndarray
    start_sample: np.ndarray
    n_samples: np.ndarray
    room: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)

    def successors(self, positions: np.ndarray) -> np.ndarray:
        """Position of the unit that follows each in its source, -1 after the last."""
        return np.where(self.room[positions] > self.n_samples[positions], positions + 1, -1)

    def after(self, positions: np.ndarray, lasting: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What there is in the source so many samples after each unit's start.

        Returns
        -------
        sounding, starting : ndarray, int64, shape (n,)
            Position of the unit that is sounding then, and of the one that starts just then; -1:
            none.
        """
        if (lasting == self.n_samples[positions]).all():
            following = self.successors(positions)
            return following, following
        places = self._places[positions] + lasting
        sounding = np.where(
            lasting < self.room[positions],
            np.searchsorted(self._places, places, side="right") - 1,
            -1,
        )
        return sounding, np.where(
            (sounding >= 0) & (self._places[sounding] == places), sounding, -1
        )

    @cached_property
    def _places(self) -> np.ndarray:
        """Where each unit would start if all sources were one after the other, int64."""
        lengths = self.room[self.start_sample == 0]
        return (np.cumsum(lengths) - lengths)[self.source] + self.start_sample


class Database:
    """Sources, units and descriptors of a corpus.

    Attributes
    ----------
    path : Path
    id : str
        Made at random when the database was made.
    root : Path
        The corpus folder; the paths of sources are relative to it. A corpus that moved together
        with its database is found.
    settings : DescriptorSettings
    sources : list of Source
        Analysed sources in the order of their rows, so that units, descriptors and sources are
        ordered alike.
    failures : list of Failure
    tags : dict
        The tags of each source that has some, by path.
    """

    def __init__(self, path: str | Path, *, root: str | Path | None = None) -> None:
        """Open the database in folder `path`; `root` re-points it at a corpus that has moved.

        Raises
        ------
        DatabaseError
            If there is none, it is damaged, or of another version.
        """
        self.path = Path(path)
        with closing(open_manifest(self.path, write=False)) as connection:
            try:
                self._read(connection)
            except (sqlite3.DatabaseError, KeyError, TypeError, ValueError) as error:
                raise DatabaseError(
                    f"{self.path}: the manifest is damaged ({error}); restore it from a copy or"
                    " build again"
                ) from error
        if root is not None:
            self.root = Path(root).absolute()
            if not self.root.is_dir():
                raise DatabaseError(
                    f"{root}: no such folder; give the corpus folder of {self.path} as root"
                )

    def stamps(self, paths: list[str]) -> dict[str, dict[str, Any]]:
        """Which files were analysed: for each of these sources its "hash" (XXH3-128), "bytes" and
        "modified_ns".

        One that was analysed by an older version, which hashed otherwise, is left out.
        """
        query = (
            "SELECT content_hash, n_bytes, mtime_ns FROM sources WHERE path = ? AND n_bytes >= 0"
        )
        with closing(open_manifest(self.path, write=False)) as connection:
            found = {path: connection.execute(query, (path,)).fetchone() for path in paths}
        keys = ("hash", "bytes", "modified_ns")
        return {path: dict(zip(keys, row, strict=True)) for path, row in found.items() if row}

    def _read(self, connection: sqlite3.Connection) -> None:
        connection.execute("BEGIN")  # one moment of the database, though a writer may be at work
        config = dict(connection.execute("SELECT key, value FROM config"))
        self.id = config["id"]
        self.root = find_root(self.path, config)
        self.settings = DescriptorSettings.from_dict(json.loads(config["descriptors"]))
        self._kind = list(kinds(self.settings))[-1]
        unit_spans = SPAN_TABLES[self._kind][0]
        query = (
            "SELECT s.id, path, sample_rate, channels, n_samples, u.shard * ? + u.first_row,"
            " u.n_rows, f.shard, f.first_row, f.n_rows FROM sources s JOIN spans f ON f.source_id"
            f" = s.id JOIN {unit_spans} u ON u.source_id = s.id ORDER BY u.shard, u.first_row"
        )
        capacity = rows_per_shard(self.settings.n_descriptors)
        self.sources = list(map(Source._make, connection.execute(query, (capacity,))))
        checks = (
            f"SELECT f.crc32, u.crc32, {'lengths' if self._kind == 'units' else 'NULL'} FROM spans"
            f" f JOIN {unit_spans} u ON u.source_id = f.source_id ORDER BY u.shard, u.first_row"
        )
        rows = connection.execute(checks).fetchall()
        self._crc = {"frames": np.array([row[0] for row in rows], np.uint32)}
        if self._kind == "units":
            self._crc["units"] = np.array([row[1] for row in rows], np.uint32)
        self._lengths = [row[2] for row in rows]
        failed = connection.execute(
            "SELECT path, error FROM sources WHERE state = 'failed' ORDER BY path"
        )
        self.failures = [Failure(*row) for row in failed]
        self.tags: dict[str, set[str]] = {}
        for path, tag in connection.execute("SELECT path, tag FROM tags ORDER BY path, tag"):
            self.tags.setdefault(path, set()).add(tag)
        self._shard_rows = {
            kind: dict(connection.execute(f"SELECT * FROM {SPAN_TABLES[kind][1]}"))
            for kind in self._crc
        }
        stored = connection.execute("SELECT mean, std FROM normaliser").fetchone()
        self._normaliser = (
            Normaliser(*(np.frombuffer(blob, "<f4") for blob in stored)) if stored else None
        )
        self._all_intact = False
        self._intact = {kind: np.zeros(len(self.sources), bool) for kind in self._crc}

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
        """Mean and standard deviation over all units.

        Raises
        ------
        DatabaseError
            If the database holds no units, or its build was cut off before the end, where this is
            written.
        """
        if not self.sources:
            raise DatabaseError(
                f"{self.path} holds no units; add audio with: demiurge db build AUDIO_DIR"
                f" {self.path}"
            )
        if self._normaliser is None:
            raise DatabaseError(
                f"{self.path}: its build was cut off; run the same demiurge db build again, which"
                " finishes it"
            )
        return self._normaliser

    @cached_property
    def _shards(self) -> dict[str, dict[int, np.ndarray]]:
        folder = self.path / "shards"
        columns = kinds(self.settings)
        return {
            kind: {
                shard: map_shard(shard_path(folder, kind, shard), n, columns[kind])
                for shard, n in rows.items()
            }
            for kind, rows in self._shard_rows.items()
        }

    def _rows(self, kind: str, position: int) -> np.ndarray:
        """Rows of the source at `position`, straight from disk, checked against their checksum the
        first time.
        """
        source = self.sources[position]
        if kind == "frames":
            shard = source.shard
            first = source.first_row
            n_rows = source.n_frames
        else:
            shard, first = divmod(source.first_unit, rows_per_shard(self.settings.n_descriptors))
            n_rows = source.n_units
        rows = self._shards[kind][shard][first : first + n_rows]
        if not self._intact[kind][position]:
            if checksum(rows) != self._crc[kind][position]:
                raise DatabaseError(
                    f"{self.path}: the descriptors of {source.path} are damaged on disk; run"
                    f" demiurge db verify --repair {self.path}, then demiurge db build"
                )
            self._intact[kind][position] = True
        return rows

    def source_descriptors(self, position: int) -> np.ndarray:
        """The sequence of the source at a position in `sources`, float32, shape (n_units,
        n_descriptors).

        Raises
        ------
        DatabaseError
            If it was damaged on disk.
        """
        return self._rows(self._kind, position)

    def source_frames(self, position: int) -> np.ndarray:
        """The frames of the source at a position in `sources`, float32, shape (n_frames,
        len(settings.frame_names)).

        They are its units' descriptors too where units are frames. Raises as `source_descriptors`.
        """
        return self._rows("frames", position)

    def source_facts(self) -> list[dict[str, Any]]:
        """What the manifest keeps of each source, in the order of `sources`: path, content_hash,
        rate, channels, length.
        """
        with closing(open_manifest(self.path, write=False)) as connection:
            hashes = dict(connection.execute("SELECT id, content_hash FROM sources"))
        return [
            {
                "path": s.path,
                "content_hash": hashes[s.id],
                "sample_rate": s.sample_rate,
                "channels": s.channels,
                "n_samples": s.n_samples,
            }
            for s in self.sources
        ]

    def sequences(self) -> Iterator[tuple[str, np.ndarray]]:
        """(path, sequence) of every source."""
        return ((source.path, self.source_descriptors(i)) for i, source in enumerate(self.sources))

    @cached_property
    def descriptors(self) -> np.ndarray:
        """All units' descriptors in memory, float32, shape (n_units, n_descriptors), ordered as
        `units`.
        """
        if not self.sources:
            return np.empty((0, self.settings.n_descriptors), np.float32)
        return np.concatenate([rows for _, rows in self.sequences()])

    def column(self, name: str) -> np.ndarray:
        """One descriptor of all units, float32, shape (n_units,), ordered as `units`; `name` is one
        of `settings.names`.
        """
        number = self.settings.names.index(name)
        return np.concatenate(
            [np.empty(0, np.float32), *(rows[:, number] for _, rows in self.sequences())]
        )

    def unit_descriptors(self, unit_ids: np.ndarray) -> np.ndarray:
        """Descriptors of some units without reading the others, float32, shape (len(unit_ids),
        n_descriptors).

        Raises
        ------
        ParameterError
            If there is no such unit.
        DatabaseError
            If one was damaged on disk.
        """
        unit_ids = np.asarray(unit_ids, np.int64)
        first, counts = self._unit_ranges
        positions = np.searchsorted(first, unit_ids, side="right") - 1
        known = (
            (positions >= 0) & (unit_ids - first[positions] < counts[positions])
            if len(first)
            else np.zeros(len(unit_ids), bool)
        )
        if not known.all():
            raise ParameterError(
                f"unit {unit_ids[~known][0]} is not in {self.path}; it holds {self.n_units} units"
            )
        for position in np.unique(positions[~self._intact[self._kind][positions]]):
            self._rows(self._kind, position)  # checks them
        shards, rows = np.divmod(unit_ids, rows_per_shard(self.settings.n_descriptors))
        out = np.empty((len(unit_ids), self.settings.n_descriptors), np.float32)
        for shard in np.unique(shards):
            own = shards == shard
            out[own] = self._shards[self._kind][int(shard)][rows[own]]
        return out

    def rows_at(self, positions: np.ndarray) -> np.ndarray:
        """Descriptors of the units at positions in `units`, float32, (len(positions),
        n_descriptors); for many small calls.

        Raises
        ------
        DatabaseError
            If one was damaged on disk.
        """
        if not self._all_intact:
            intact = self._intact[self._kind]
            sources = self.units.source[positions]
            for source in np.unique(sources[~intact[sources]]):
                self._rows(self._kind, source)  # checks them
            self._all_intact = bool(intact.all())
        if len(self._shards[self._kind]) == 1:
            ((shard, rows),) = self._shards[self._kind].items()
            first = shard * rows_per_shard(self.settings.n_descriptors)
            return np.asarray(rows).take(self.units.ids[positions] - first, axis=0)
        return self.unit_descriptors(self.units.ids[positions])

    @property
    def unit_checksums(self) -> np.ndarray:
        """CRC-32 of the descriptors of each source in `sources`, uint32."""
        return self._crc[self._kind]

    def positions(self, unit_ids: np.ndarray) -> np.ndarray:
        """Positions in `units` of unit ids that are in the database, int64, same shape."""
        first = self._unit_ranges[0]
        before = self._units_before
        if first[-1] - first[0] == before[-1]:  # no gaps between them
            return unit_ids - first[0]
        source = np.searchsorted(first, unit_ids, side="right") - 1
        return (before - first)[source] + unit_ids

    @cached_property
    def _units_before(self) -> np.ndarray:
        """Number of units in the sources before each, int64."""
        _, counts = self._unit_ranges
        return np.cumsum(counts) - counts

    @cached_property
    def _unit_ranges(self) -> tuple[np.ndarray, np.ndarray]:
        """First unit id and number of units of each source, int64."""
        return (
            np.array([source.first_unit for source in self.sources], np.int64),
            np.array([source.n_units for source in self.sources], np.int64),
        )

    @cached_property
    def units(self) -> Units:
        """Every unit, ordered by id."""
        first_unit, counts = self._unit_ranges
        source = np.repeat(np.arange(len(counts)), counts)
        first_position = self._units_before
        step = np.arange(counts.sum()) - first_position[source]
        length = np.array([s.n_samples for s in self.sources], np.int64)
        if self._kind == "units":
            lengths = np.frombuffer(b"".join(self._lengths), "<i4").astype(np.int64)
            ends = np.cumsum(lengths)
            start = ends - lengths
            start -= start[first_position][source] if len(lengths) else 0
        else:
            start = step * self.hop_length
            lengths = np.minimum(self.hop_length, length[source] - start)
        return Units(first_unit[source] + step, source, start, lengths, length[source] - start)
