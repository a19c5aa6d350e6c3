"""Nearest units of each step of a sequence, in the space of z-scored, weighted descriptors.

FAISS proposes (`query.proposals`), exact arithmetic decides: for many queries at once it computes
|x|² + |y|² - 2xy in float32, which reads identical vectors as slightly apart, and for large corpora
it reads compressed vectors. The proposals are measured again as |x - y| and ordered by distance,
then by unit. Descriptors are read from the database as they are needed.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import faiss
import numpy as np
import xxhash

from db.database import Database
from files.errors import ParameterError
from query.cache import Cached, has_drifted, load_index, save_index, source_blocks, stale_ids
from query.filters import Filters, counts_text, filter_units
from query.metrics import parse_metric
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
from query.weights import weight_columns

BLOCK_UNITS = 1 << 16  # units read and indexed at a time
RANK_ROWS = 1 << 14  # proposals measured again at a time: 3 MB, which stay in the processor's cache
SEARCH_STEPS = 4096  # steps searched at a time, between words of progress
TRAINING_SEED = 0

Progress = Callable[[int, int, str], None]  # done, in all, of what


@dataclass(frozen=True)
class Matches:
    """The k nearest units of each step.

    Attributes
    ----------
    units : ndarray, int64, shape (steps, k)
        Unit ids, nearest first; ties by id.
    distances : ndarray, float32, shape (steps, k)
        Distance of z-scored, weighted descriptors.
    """

    units: np.ndarray
    distances: np.ndarray


class UnitIndex:
    """Search over the units of a database.

    Attributes
    ----------
    database : Database
    metric : Metric
    kind : str
        One of `query.proposals.KINDS`.
    factors : ndarray, float32, shape (n_descriptors,)
        How much each descriptor counts.
    allowed : ndarray, bool, shape (n_units,)
        Which units pass the filters: only these are found, or played because they follow on.
    counts : dict
        Units left after each filter, by what it asks for.
    progress : callable (done, in all, of what)
    """

    def __init__(
        self,
        database: Database,
        *,
        min_samples: int = 1,
        filters: Filters | None = None,
        weights: dict[str, float] | None = None,
        metric: str = "l2",
        kind: str = "auto",
        progress: Progress | None = None,
    ) -> None:
        """Index the units that pass the filters, with `min_samples` of sound from their start to
        the end of their source.

        Parameters
        ----------
        metric : str
            One of `query.metrics.METRICS`.
        kind : str
            One of `query.proposals.KINDS`, or "auto". Indexes other than flat are kept in the
            database's folder.

        Raises
        ------
        DatabaseError
            If the database holds no units.
        ParameterError
            If no unit has as much; if FAISS cannot do that kind of index with that metric; or as
            `metrics.parse_metric`, `filters.filter_units` and `weights.weight_columns`.
        """
        self.database = database
        self.metric = parse_metric(metric)
        self.factors = weight_columns(database.settings, weights or {})
        units = database.units
        self.progress = progress or (lambda done, total, what: None)
        self._mean = database.normaliser.mean
        self._scale = self.factors / database.normaliser.std
        self.allowed, self.counts = filter_units(database, filters or Filters())
        searchable = self.allowed & (units.room >= min_samples)
        if not searchable.any():
            most = units.room[self.allowed].max()
            left = counts_text(self.counts)
            remedy = (
                "relax the filters, or add longer audio"
                if len(self.counts) > 1
                else "add longer audio"
            )
            raise ParameterError(
                f"{database.path}: of the units that may be played ({left}) none has {min_samples}"
                f" samples from its start to the end of its source (the most: {most}); {remedy}"
            )
        self._searchable = np.flatnonzero(searchable)
        self.kind = choose_kind(kind, self.metric, len(self), len(self.factors))
        if self.kind == "pq" and len(units) < PQ_LEVELS:
            raise ParameterError(
                f"index=pq needs {PQ_LEVELS} units, {database.path} has {len(units)}; use flat"
            )
        self._cells = None if self.kind == "flat" else self._open_cells()

    def __len__(self) -> int:
        """Number of units that can be found."""
        return len(self._searchable)

    def positions(self, unit_ids: np.ndarray) -> np.ndarray:
        """Rows of `database.units` for unit ids, same shape."""
        return self.database.units.find(unit_ids)

    def scores(self, positions: np.ndarray) -> np.ndarray:
        """Descriptors of the units at positions in `database.units` as they are compared, float32,
        (n, d).
        """
        rows = self.database.rows_at(positions)
        return self.compared(rows, out=rows)

    def compared(self, descriptors: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """Raw descriptors (..., d) as they are compared: z-scored, weighted, and of unit length if
        the metric is cosine.

        Where `out` is given, it is written to.
        """
        rows = np.subtract(descriptors, self._mean, out=out)
        rows *= self._scale
        return self.metric.prepare(rows)

    def normalise(self, sequence: np.ndarray) -> np.ndarray:
        """`compared` for a sequence that comes from outside, after checking it; raises as `search`."""
        return self.compared(self._check(sequence))

    def search(self, sequence: np.ndarray, *, k: int) -> Matches:
        """The k nearest units of each step.

        Parameters
        ----------
        sequence : ndarray, float32, shape (steps, n_descriptors), raw
        k : int, 1 to len(self)

        Raises
        ------
        ParameterError
            If k is out of range, or the sequence is empty, of another width, or not finite.
        """
        sequence = self._check(sequence)
        if not 1 <= k <= len(self):
            raise ParameterError(
                f"k={k} must be between 1 and {len(self)}, the number of units of"
                f" {self.database.path} that can be played"
            )
        units = np.empty((len(sequence), k), np.int64)
        distances = np.empty((len(sequence), k), np.float32)
        for start in range(0, len(sequence), SEARCH_STEPS):
            span = slice(start, start + SEARCH_STEPS)
            nearest, distances[span] = self._nearest(sequence[span], k)
            units[span] = self.database.units.ids[nearest]
            self.progress(
                min(start + SEARCH_STEPS, len(sequence)), len(sequence), "finding candidates"
            )
        return Matches(units, distances)

    def _nearest(self, sequence: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Positions of the k nearest units and their distances, (steps, k)."""
        proposed = self._propose(sequence, k)
        targets = self.compared(sequence)
        block = max(RANK_ROWS // proposed.shape[1], 1)
        found = []
        for start in range(0, len(targets), block):
            rows = proposed[start : start + block]
            of_rows = self.scores(rows.ravel()).reshape(*rows.shape, -1)
            exact = self.metric.of_differences(of_rows - targets[start : start + block, None])
            exact[rows < 0] = np.inf
            found.append(_smallest(rows, exact, k))
        positions, distances = zip(*found, strict=True)
        return np.concatenate(positions), np.concatenate(distances)

    def _check(self, sequence: np.ndarray) -> np.ndarray:
        sequence = np.asarray(sequence, np.float32)
        width = len(self.factors)
        if sequence.ndim != 2 or sequence.shape[1] != width:
            raise ParameterError(
                f"a sequence of shape {sequence.shape} does not fit {self.database.path}: it must"
                f" be (steps, {width})"
            )
        if not len(sequence):
            raise ParameterError("the sequence has 0 steps; it must have at least one")
        if not np.isfinite(sequence).all():
            raise ParameterError(
                f"step {int(np.argwhere(~np.isfinite(sequence))[0, 0])} of the sequence is not"
                " finite; make it again"
            )
        away = np.abs((sequence - self._mean) * self._scale).max(axis=1)
        most = self.metric.farthest
        if not (away < most).all():
            raise ParameterError(
                f"step {int(np.argmax(~(away < most)))} of the sequence is {away.max():.3g}"
                f" standard deviations from the mean of {self.database.path}; {self.metric} can"
                f" measure up to {most:.3g}: make it again, or use another metric"
            )
        return sequence

    def _propose(self, sequence: np.ndarray, k: int) -> np.ndarray:
        """Positions in `database.units` among which the k nearest should be, (steps, at least k);
        -1 where there are fewer.
        """
        n = min(n_proposals(self.kind, k), len(self))
        if self._cells is None:
            index = self._fast if n <= GPU_MOST else self._flat
            return self._searchable[index.search(self.compared(sequence), n)[1]]
        targets = self._in_space_of(self._cells, sequence)
        ids = search_cells(self._cells.index, targets, n, enough=k, allowed=self._allowed_bits)
        return np.where(ids < 0, -1, self.positions(ids))

    @cached_property
    def _flat(self) -> faiss.Index:
        index = make_flat(self.metric, len(self.factors))
        for start in range(0, len(self), BLOCK_UNITS):
            index.add(self.scores(self._searchable[start : start + BLOCK_UNITS]))
        return index

    @cached_property
    def _fast(self) -> faiss.Index:
        return on_gpu(self._flat)

    @cached_property
    def _allowed_bits(self) -> np.ndarray | None:
        """A bit for each unit id that can be found; None if all can."""
        ids = self.database.units.ids
        if len(self) == len(ids):
            return None
        allowed = ids[self._searchable]
        bits = np.zeros(ids[-1] // 8 + 1, np.uint8)
        np.bitwise_or.at(bits, allowed >> 3, (1 << (allowed & 7)).astype(np.uint8))
        return bits

    def _in_space_of(self, cells: Cached, descriptors: np.ndarray) -> np.ndarray:
        """`compared`, with the z-scores the cells were made with: the database may have grown
        since.
        """
        return self.metric.prepare(cells.normaliser.apply(descriptors) * self.factors)

    def _open_cells(self) -> Cached:
        """The index of all units with cells: kept ones brought up to date, or new ones."""
        database = self.database
        key = f"{self.kind} {self.metric} {database.settings.hash} {self.factors.tobytes().hex()}"
        path = database.path / "index" / f"{xxhash.xxh3_64_hexdigest(key.encode())}.faiss"
        cells = load_index(path, database.id)
        blocks = source_blocks(database)
        if cells is None or has_drifted(cells, blocks, database.normaliser):
            cells = Cached(
                self._train_cells(), database.normaliser, frozenset(), changed=-len(database.units)
            )
        gone = stale_ids(cells, blocks)
        missing = [position for block, position in blocks.items() if block not in cells.blocks]
        if not len(gone) and not missing:
            return cells
        if len(gone):
            cells.index.remove_ids(faiss.IDSelectorBatch(gone))
        added = self._add_sources(cells, missing)
        cells = replace(cells, blocks=frozenset(blocks), changed=cells.changed + added + len(gone))
        save_index(path, cells, database.id)
        return cells

    def _train_cells(self) -> faiss.Index:
        n_units = len(self.database.units)
        n_sample = min(TRAINED * n_cells(n_units), n_units)
        self.progress(0, n_units, "finding the index's cells")
        sample = np.random.default_rng(TRAINING_SEED).choice(n_units, n_sample, replace=False)
        return make_cells(self.kind, self.metric, self.scores(np.sort(sample)), n_units)

    def _add_sources(self, cells: Cached, positions: list[int]) -> int:
        """Add sources' units; how many."""
        done = 0
        total = sum(self.database.sources[position].n_units for position in positions)
        for position in positions:
            source = self.database.sources[position]
            vectors = self._in_space_of(cells, self.database.source_descriptors(position))
            cells.index.add_with_ids(vectors, source.first_unit + np.arange(source.n_units))
            done += source.n_units
            self.progress(done, total, "indexing units, once")
        return total


def _smallest(rows: np.ndarray, distances: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The k smallest distances (float32, not negative) of each line and their rows, ascending by
    distance, then by row.

    The bits of such floats order as they do; with the row behind them, one sort of integers does
    both.
    """
    keys = distances.view(np.uint32).astype(np.uint64) << np.uint64(32) | rows.astype(np.uint32)
    keys = np.partition(keys, k - 1, axis=1)[:, :k]
    keys.sort(axis=1)
    return keys.astype(np.uint32).astype(np.int64), (keys >> np.uint64(32)).astype(np.uint32).view(
        np.float32
    )
