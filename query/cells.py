"""An index with cells of all units of a database, kept in the database's folder.

The database's z-scores may change after its cells were found; they are searched in the z-scores
that they were found in.
"""

from dataclasses import replace
from pathlib import Path

import faiss
import numpy as np
import xxhash

from db.database import Database
from files.progress import Progress
from query.cache import (
    MOST_DRIFT,
    Cached,
    drift,
    has_drifted,
    load_index,
    save_index,
    source_blocks,
    stale_ids,
)
from query.proposals import TRAINED, make_cells, n_cells, search_cells
from query.space import Space

TRAINING_SEED = 0


class Cells:
    """Proposes units by an "ivf" or "pq" index.

    Attributes
    ----------
    kind : str
    index : faiss.Index
    """

    def __init__(self, space: Space, kind: str, progress: Progress) -> None:
        """Open the index that is kept, and bring it up to date, or make a new one."""
        self.kind = kind
        self._space = space
        self._progress = progress
        self._cached = self._open()

    @property
    def index(self) -> faiss.Index:
        return self._cached.index

    def fits(self, space: Space) -> bool:
        """Return whether the cells were found with nearly the distances of this space."""
        return (
            np.array_equal(self._space.factors, space.factors)
            and drift(self._cached.normaliser, space.database.normaliser) <= MOST_DRIFT
        )

    def propose(
        self,
        sequence: np.ndarray,
        n: int,
        *,
        enough: int,
        allowed: np.ndarray | None,
        share: float = 1.0,
    ) -> np.ndarray:
        """Return the ids of units near a raw sequence, int64, (steps, n).

        Other parameters are those of `search_cells`.
        """
        targets = self._vectors(self._cached, sequence)
        return search_cells(self.index, targets, n, enough=enough, allowed=allowed, share=share)

    def _vectors(self, cached: Cached, descriptors: np.ndarray) -> np.ndarray:
        """Return `Space.vectors` in the z-scores that the cells were made with."""
        scores = cached.normaliser.apply(descriptors)
        return self._space.metric.prepare(scores * self._space.factors)

    @property
    def _database(self) -> Database:
        return self._space.database

    def _open(self) -> Cached:
        path = self._path()
        database = self._database
        cells = load_index(path, database)
        blocks = source_blocks(database)
        if cells is None or has_drifted(cells, blocks, database.normaliser):
            n_units = len(database.units)
            cells = Cached(self._train(), database.normaliser, frozenset(), changed=-n_units)
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

    def _path(self) -> Path:
        """Return the file of the index, named after what it is built from."""
        space = self._space
        settings = self._database.settings
        key = f"{self.kind} {space.metric} {settings.hash} {space.factors.tobytes().hex()}"
        name = xxhash.xxh3_64_hexdigest(key.encode())
        return self._database.index_folder / f"{name}.faiss"

    def _train(self) -> faiss.Index:
        n_units = len(self._database.units)
        n_sample = min(TRAINED * n_cells(n_units), n_units)
        self._progress(0, n_units, "finding the index's cells")
        sample = np.random.default_rng(TRAINING_SEED).choice(n_units, n_sample, replace=False)
        vectors = self._space.unit_vectors(np.sort(sample))
        return make_cells(self.kind, self._space.metric, vectors, n_units)

    def _add_sources(self, cells: Cached, numbers: list[int]) -> int:
        """Add the units of the sources at positions in `Database.sources`; return their number."""
        database = self._database
        sources = [database.sources[number] for number in numbers]
        total = sum(source.n_units for source in sources)
        done = 0
        for number, source in zip(numbers, sources, strict=True):
            vectors = self._vectors(cells, database.source_descriptors(number))
            cells.index.add_with_ids(vectors, source.first_unit + np.arange(source.n_units))
            done += source.n_units
            self._progress(done, total, "indexing units, once")
        return total
