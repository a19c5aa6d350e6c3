"""Find the nearest units of each step of a sequence.

FAISS proposes (`query.proposals`), exact arithmetic decides. For many queries at once FAISS
computes |x|² + |y|² - 2xy in float32, which puts identical vectors slightly apart; for large
corpora it compares compressed vectors. The proposals are therefore measured again as |x - y| and
ordered by distance, then by unit. Descriptors are read from the database as they are needed.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import faiss
import numpy as np
import xxhash

from db.database import Database
from files.errors import ParameterError
from files.progress import Progress, no_progress
from query.cache import Cached, has_drifted, load_index, save_index, source_blocks, stale_ids
from query.filters import Filters, counts_text, filter_units
from query.proposals import (
    GPU_MOST,
    PQ_LEVELS,
    TRAINED,
    choose_kind,
    make_cells,
    make_flat,
    n_cells,
    n_proposals,
    on_gpu,
    search_cells,
)
from query.space import Space

BLOCK_UNITS = 1 << 16  # units read and indexed at a time
RANK_ROWS = 1 << 14  # proposals measured again at a time: 3 MB, to stay in the processor's cache
SEARCH_STEPS = 4096  # steps searched between two reports of progress
TRAINING_SEED = 0


@dataclass(frozen=True)
class Matches:
    """The k nearest units of each step.

    Attributes
    ----------
    positions : ndarray, int64, shape (steps, k)
        Positions in `Database.units`, nearest first; ties in the order of the table.
    distances : ndarray, float32, shape (steps, k)
    """

    positions: np.ndarray
    distances: np.ndarray


class UnitIndex:
    """Finds the units of a space that are nearest to given descriptors.

    Attributes
    ----------
    space : Space
    kind : str
        One of `query.names.INDEX_KINDS`.
    allowed : ndarray, bool, shape (n_units,)
        True for units that pass the filters: only these are found, or added as a continuation.
    counts : dict
        Number of units left after each filter, by the filter's description.
    progress : files.progress.Progress
    """

    def __init__(
        self,
        space: Space,
        *,
        min_samples: int = 1,
        filters: Filters | None = None,
        kind: str = "auto",
        progress: Progress = no_progress,
    ) -> None:
        """Index the units that pass the filters and are long enough.

        Parameters
        ----------
        min_samples : int
            Least number of samples from a unit's start to the end of its source.
        kind : str
            One of `query.names.INDEX_KINDS`, or "auto". Indexes other than flat are kept in the
            database's folder.

        Raises
        ------
        ParameterError
            If no unit is long enough, if FAISS has no index of that kind for the metric, or as
            `filters.filter_units`.
        """
        self.space = space
        self.progress = progress
        self.allowed, self.counts = filter_units(space.database, filters or Filters())
        self._searchable = self._find_long_enough(min_samples)
        self.kind = choose_kind(kind, space.metric, len(self), len(space.factors))
        n_units = len(space.database.units)
        if self.kind == "pq" and n_units < PQ_LEVELS:
            raise ParameterError(
                f"index=pq needs {PQ_LEVELS} units, {space.database.path} has {n_units}; use flat"
            )
        self._cells = None if self.kind == "flat" else self._open_cells()

    def _find_long_enough(self, min_samples: int) -> np.ndarray:
        """Return the positions of allowed units with enough samples left in their source."""
        samples_left = self.database.units.samples_left
        searchable = self.allowed & (samples_left >= min_samples)
        if not searchable.any():
            is_filtered = len(self.counts) > 1
            remedy = "relax the filters, or add" if is_filtered else "add"
            raise ParameterError(
                f"{self.database.path}: of the units that may be played"
                f" ({counts_text(self.counts)}) none has {min_samples} samples from its start to"
                f" the end of its source (the most: {samples_left[self.allowed].max()}); {remedy}"
                " longer audio"
            )
        return np.flatnonzero(searchable)

    def __len__(self) -> int:
        """Number of units that can be found."""
        return len(self._searchable)

    @property
    def database(self) -> Database:
        return self.space.database

    def search(self, sequence: np.ndarray, *, k: int) -> Matches:
        """Find the k nearest units of each step.

        Parameters
        ----------
        sequence : ndarray, float32, shape (steps, n_descriptors), raw
        k : int, 1 to len(self)

        Raises
        ------
        ParameterError
            If k is out of range, or as `Space.check_sequence`.
        """
        sequence = self.space.check_sequence(sequence)
        self.check_k(k)
        positions = np.empty((len(sequence), k), np.int64)
        distances = np.empty((len(sequence), k), np.float32)
        for start in range(0, len(sequence), SEARCH_STEPS):
            stop = min(start + SEARCH_STEPS, len(sequence))
            positions[start:stop], distances[start:stop] = self._nearest(sequence[start:stop], k)
            self.progress(stop, len(sequence), "finding candidates")
        return Matches(positions, distances)

    def check_k(self, k: int) -> None:
        """Raise a `ParameterError` if there are not k units that can be found."""
        if not 1 <= k <= len(self):
            raise ParameterError(
                f"k={k} must be between 1 and {len(self)}, the number of units of"
                f" {self.database.path} that can be played"
            )

    def _nearest(self, sequence: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the positions of the k nearest units and their distances, (steps, k)."""
        proposed = self._propose(sequence, k)
        targets = self.space.vectors(sequence)
        block = max(RANK_ROWS // proposed.shape[1], 1)
        found = []
        for start in range(0, len(targets), block):
            rows = proposed[start : start + block]
            vectors = self.space.unit_vectors(rows.ravel()).reshape(*rows.shape, -1)
            exact = self.space.distances(vectors, targets[start : start + block, None])
            exact[rows < 0] = np.inf
            found.append(_smallest(rows, exact, k))
        positions, distances = zip(*found, strict=True)
        return np.concatenate(positions), np.concatenate(distances)

    def _propose(self, sequence: np.ndarray, k: int) -> np.ndarray:
        """Return positions that should include the k nearest, (steps, k or more).

        Rows with fewer proposals are filled up with -1.
        """
        n = min(n_proposals(self.kind, k), len(self))
        if self._cells is None:
            index = self._fast if n <= GPU_MOST else self._flat
            return self._searchable[index.search(self.space.vectors(sequence), n)[1]]
        targets = self._vectors_of_cells(self._cells, sequence)
        ids = search_cells(self._cells.index, targets, n, enough=k, allowed=self._allowed_bits)
        return self.database.units.find(ids)

    @cached_property
    def _flat(self) -> faiss.Index:
        index = make_flat(self.space.metric, len(self.space.factors))
        for start in range(0, len(self), BLOCK_UNITS):
            index.add(self.space.unit_vectors(self._searchable[start : start + BLOCK_UNITS]))
        return index

    @cached_property
    def _fast(self) -> faiss.Index:
        return on_gpu(self._flat)

    @cached_property
    def _allowed_bits(self) -> np.ndarray | None:
        """A bit for each unit id, set if the unit can be found; None if all units can be."""
        ids = self.database.units.ids
        if len(self) == len(ids):
            return None
        allowed = ids[self._searchable]
        bits = np.zeros(ids[-1] // 8 + 1, np.uint8)
        np.bitwise_or.at(bits, allowed >> 3, (1 << (allowed & 7)).astype(np.uint8))
        return bits

    def _vectors_of_cells(self, cells: Cached, descriptors: np.ndarray) -> np.ndarray:
        """Return `Space.vectors` in the z-scores that the cells were made with.

        The database's own z-scores may have changed since.
        """
        scores = cells.normaliser.apply(descriptors)
        return self.space.metric.prepare(scores * self.space.factors)

    def _open_cells(self) -> Cached:
        """Return an index of all units with cells: the cached one, updated, or a new one."""
        path = self._cells_path()
        database = self.database
        cells = load_index(path, database)
        blocks = source_blocks(database)
        if cells is None or has_drifted(cells, blocks, database.normaliser):
            n_units = len(database.units)
            cells = Cached(self._train_cells(), database.normaliser, frozenset(), changed=-n_units)
        gone = stale_ids(cells, blocks)
        missing = [number for block, number in blocks.items() if block not in cells.blocks]
        if not len(gone) and not missing:
            return cells
        if len(gone):
            cells.index.remove_ids(faiss.IDSelectorBatch(gone))
        added = self._add_sources(cells, missing)
        cells = replace(cells, blocks=frozenset(blocks), changed=cells.changed + added + len(gone))
        save_index(path, cells, database.id)
        return cells

    def _cells_path(self) -> Path:
        """Return the file of the index with cells, named after what it is built from."""
        space = self.space
        settings = self.database.settings
        key = f"{self.kind} {space.metric} {settings.hash} {space.factors.tobytes().hex()}"
        name = xxhash.xxh3_64_hexdigest(key.encode())
        return self.database.path / "index" / f"{name}.faiss"

    def _train_cells(self) -> faiss.Index:
        n_units = len(self.database.units)
        n_sample = min(TRAINED * n_cells(n_units), n_units)
        self.progress(0, n_units, "finding the index's cells")
        sample = np.random.default_rng(TRAINING_SEED).choice(n_units, n_sample, replace=False)
        vectors = self.space.unit_vectors(np.sort(sample))
        return make_cells(self.kind, self.space.metric, vectors, n_units)

    def _add_sources(self, cells: Cached, numbers: list[int]) -> int:
        """Add the units of the sources at positions in `Database.sources`; return their number."""
        sources = [self.database.sources[number] for number in numbers]
        total = sum(source.n_units for source in sources)
        done = 0
        for number, source in zip(numbers, sources, strict=True):
            vectors = self._vectors_of_cells(cells, self.database.source_descriptors(number))
            cells.index.add_with_ids(vectors, source.first_unit + np.arange(source.n_units))
            done += source.n_units
            self.progress(done, total, "indexing units, once")
        return total


def _smallest(rows: np.ndarray, distances: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of the k smallest distances in each line, and these distances.

    They are ordered by distance, then by row. Non-negative float32 numbers have the same order as
    their bits read as integers, so one sort of integers (distance first, then row) does both.
    """
    keys = distances.view(np.uint32).astype(np.uint64) << np.uint64(32) | rows.astype(np.uint32)
    keys = np.partition(keys, k - 1, axis=1)[:, :k]
    keys.sort(axis=1)
    found_rows = keys.astype(np.uint32).astype(np.int64)
    return found_rows, (keys >> np.uint64(32)).astype(np.uint32).view(np.float32)
