"""The units of sources, and their descriptors, whatever they are read from."""

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from db.derived_rows import Rows
from db.settings import DescriptorSettings
from db.source import Source
from db.unit_table import Units, tile_sources


class DescribedUnits:
    """Units and descriptors of sources; attributes are those of `db.database.Database`."""

    settings: DescriptorSettings
    sources: list[Source]
    rows: Rows
    unit_lengths: np.ndarray | None
    copy_ids: int
    source_member: np.ndarray

    @property
    def sample_rate(self) -> int:
        return self.settings.sample_rate

    @property
    def hop_length(self) -> int:
        return self.settings.hop_length

    @property
    def n_units(self) -> int:
        return sum(source.n_units for source in self.sources)

    @cached_property
    def sources_by_path(self) -> dict[str, Source]:
        """The analysed sources by their paths."""
        return {source.path: source for source in self.sources}

    @cached_property
    def source_numbers(self) -> dict[int, int]:
        """The position in `sources` of each stored source, by its id."""
        return {source.id: i for i, source in enumerate(self.sources) if source.is_stored}

    def stamps(self, paths: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Return the `Source.stamp` of these sources by path, for those that have one."""
        known = self.sources_by_path
        found = {path: known[path].stamp for path in paths if path in known}
        return {path: stamp for path, stamp in found.items() if stamp is not None}

    @cached_property
    def units(self) -> Units:
        """Every unit, ordered by id."""
        return tile_sources(self.sources, lengths=self.unit_lengths, hop_length=self.hop_length)

    def source_descriptors(self, number: int) -> np.ndarray:
        """Return the sequence of the source at a position in `sources`.

        Returns
        -------
        ndarray, float32, shape (n_units, n_descriptors)

        Raises
        ------
        DatabaseError
            If it is damaged on disk.
        """
        return self.rows.of_source(number)

    def sequences(self) -> Iterator[tuple[str, np.ndarray]]:
        """Yield (path, sequence) of every source."""
        for number, source in enumerate(self.sources):
            yield source.path, self.source_descriptors(number)

    @cached_property
    def descriptors(self) -> np.ndarray:
        """All units' descriptors in memory, ordered as `units`.

        float32, shape (n_units, n_descriptors).
        """
        if not self.sources:
            return np.empty((0, self.settings.n_descriptors), np.float32)
        return np.concatenate([rows for _, rows in self.sequences()])

    def column(self, name: str) -> np.ndarray:
        """Return one descriptor of all units, float32, shape (n_units,), ordered as `units`.

        Parameters
        ----------
        name : str
            One of `settings.names`.
        """
        number = self.settings.names.index(name)
        columns = [rows[:, number] for _, rows in self.sequences()]
        return np.concatenate([np.empty(0, np.float32), *columns])

    def rows_at(self, positions: np.ndarray) -> np.ndarray:
        """Return the descriptors of the units at positions in `units`.

        This is fast enough for many small calls.

        Returns
        -------
        ndarray, float32, shape (n, n_descriptors)

        Raises
        ------
        DatabaseError
            If one of them is damaged on disk.
        """
        if not self.rows.all_intact:
            self.rows.check(self.units.source[positions])
        return self.rows.take(self.units.ids[positions])

    @property
    def next_unit(self) -> int:
        """The first id after those of all units."""
        return max((source.first_unit + source.n_units for source in self.sources), default=0)

    def stored_id(self, position: int) -> int:
        """Return the id of the unit at a position in `units`; copies have one id."""
        unit_id = int(self.units.ids[position])
        return unit_id % self.copy_ids if self.copy_ids else unit_id

    def find_stored(self, ids: Sequence[int], sources: Sequence[str]) -> np.ndarray:
        """Return the positions of units, int64, (n,), -1 for unknown ones.

        Parameters
        ----------
        ids : sequence of int
            As `stored_id`.
        sources : sequence of str
            The source of each, which names its database if there are several.
        """
        return self.units.find(ids)

    def member_of(self, positions: np.ndarray) -> np.ndarray:
        """Return the number of each unit's database among several, int64; -1 if it is in none."""
        return self.source_member[self.units.source[positions]]

    @property
    def unit_checksums(self) -> np.ndarray:
        """CRC-32 of the descriptors of each source in `sources`, uint32."""
        return np.array([source.checksum for source in self.sources], np.uint32)
