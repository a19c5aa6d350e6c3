"""One shard of a corpus: finds its nearest units, and gives out the descriptors that are needed.

Positions in and out of it are those of the whole corpus.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from db.database import Database
from db.derived import only_sources
from db.source import Source
from files.cache import cache_folder
from files.errors import ParameterError
from query.apply_filters import apply_filters
from query.cluster.corpus import (
    KEPT_INDEXES,
    Asked,
    Part,
    ServedCorpus,
    Shard,
    open_corpus,
    version_of,
)
from query.filters import Filters
from query.index import UnitIndex
from query.space import Space

BLOCK = 16  # units that are given out together


@dataclass(frozen=True)
class ShardFacts:
    """What a shard has of the units that are asked for.

    Attributes
    ----------
    counts : dict
        Number of units left after each filter.
    n_allowed, n_found : int
        Units that pass the filters; those of them that are long enough to be found.
    longest : int
        Most samples from the start of an allowed unit to the end of its source.
    n_sources : int
        Sources of the allowed units.
    kind : str
        Of the index; "" if no unit can be found.
    """

    counts: dict[str, int]
    n_allowed: int
    n_found: int
    longest: int
    n_sources: int
    kind: str


@dataclass(frozen=True)
class UnitBlocks:
    """All that is known of units, in blocks of `BLOCK`, filled up with the last unit.

    Attributes
    ----------
    rows : ndarray, float32, shape (n, BLOCK, n_descriptors)
    ids, source, start_sample, n_samples, samples_left : ndarray, int64, shape (n, BLOCK)
    stored_ids : ndarray, int64, shape (n, BLOCK)
        `Database.stored_id`.
    allowed : ndarray, bool, shape (n, BLOCK)
    sources : dict
        The sources of these units, by their positions in `Database.sources`.
    """

    rows: np.ndarray
    ids: np.ndarray
    source: np.ndarray
    start_sample: np.ndarray
    n_samples: np.ndarray
    samples_left: np.ndarray
    stored_ids: np.ndarray
    allowed: np.ndarray
    sources: dict[int, Source]


class ShardSearch:
    """Searches a shard.

    Attributes
    ----------
    shard : Shard
    database : Database
        Of its sources only, with the normaliser of the whole.
    """

    def __init__(self, corpus: ServedCorpus, number: int) -> None:
        """Open the databases, and keep what belongs to a shard.

        Raises
        ------
        DatabaseError
            As `Database`.
        ParameterError
            If they have changed since the shards were planned.
        """
        self._corpus = corpus
        self.shard = corpus.shards[number]
        whole = open_corpus(corpus.specs, corpus.normaliser_name)
        if version_of(whole) != corpus.version:
            raise ParameterError(
                f"{corpus} has changed since it was divided into shards; serve it again"
            )
        self.database = _only_shard(whole, corpus, self.shard)
        self._allowed: dict[Filters, tuple[np.ndarray, dict[str, int]]] = {}
        self._indexes: dict[Asked, UnitIndex | None] = {}

    def version(self) -> str:
        """Return `version_of` the databases as they are on disk now."""
        return version_of(open_corpus(self._corpus.specs, self._corpus.normaliser_name))

    def facts(self, asked: Asked) -> ShardFacts:
        """Return what there is of the units asked for.

        Raises
        ------
        ParameterError
            If there is no such descriptor, tag, metric or index.
        """
        allowed, counts = self._filtered(asked)
        index = self._index(asked)
        units = self.database.units
        return ShardFacts(
            counts=counts,
            n_allowed=int(allowed.sum()),
            n_found=0 if index is None else len(index),
            longest=int(units.samples_left[allowed].max(initial=0)),
            n_sources=len(np.unique(units.source[allowed])),
            kind="" if index is None else index.kind,
        )

    def search(self, asked: Asked, sequence: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the k nearest units of each step, fewer if the shard has fewer.

        Returns
        -------
        positions : ndarray, int64, shape (steps, at most k)
            Nearest first, ties by position.
        distances : ndarray, float32, of the same shape
        """
        index = self._index(asked)
        if index is None:
            shape = (len(sequence), 0)
            return np.empty(shape, np.int64), np.empty(shape, np.float32)
        matches = index.search(sequence, k=min(k, len(index)))
        return matches.positions + self.shard.first_position, matches.distances

    def units(self, asked: Asked | None, blocks: np.ndarray) -> UnitBlocks:
        """Return blocks of units, by their numbers in the shard, int64, (n,).

        Every unit is allowed if nothing is `asked`.
        """
        last = self.shard.n_units - 1
        here = np.minimum(blocks[:, None] * BLOCK + np.arange(BLOCK), last)
        units = self.database.units
        rows = self.database.rows_at(here.ravel()).reshape(*here.shape, -1)
        numbers, firsts, which = np.unique(
            units.source[here], return_index=True, return_inverse=True
        )
        ids = units.ids[here]
        # in a source, ids and stored ids are apart by the same number
        stored = [self.database.stored_id(int(here.flat[first])) for first in firsts]
        apart = ids.flat[firsts] - np.array(stored, np.int64)
        return UnitBlocks(
            rows=rows,
            ids=ids,
            source=units.source[here] + self.shard.first_source,
            start_sample=units.start_sample[here],
            n_samples=units.n_samples[here],
            samples_left=units.samples_left[here],
            stored_ids=ids - apart[which].reshape(here.shape),
            allowed=np.ones(here.shape, bool) if asked is None else self._filtered(asked)[0][here],
            sources={
                number + self.shard.first_source: self.database.sources[number]
                for number in numbers.tolist()
            },
        )

    def sample(self, asked: Asked, ranks: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return some of the units that pass the filters, by their ranks among them, int64, (n,).

        Returns
        -------
        positions : ndarray, int64, shape (n,)
        rows : ndarray, float32, shape (n, n_descriptors)
        source : ndarray, int64, shape (n,)
        """
        here = np.flatnonzero(self._filtered(asked)[0])[ranks]
        source = self.database.units.source[here] + self.shard.first_source
        return here + self.shard.first_position, self.database.rows_at(here), source

    def find(self, ids: np.ndarray) -> np.ndarray:
        """Return the positions of unit ids, int64, (n,); -1 for those of other shards."""
        here = self.database.units.find(ids)
        return np.where(here < 0, -1, here + self.shard.first_position)

    def sources(self, numbers: list[int]) -> list[Source]:
        """Return sources by their positions in `Database.sources` of the whole."""
        return [self.database.sources[number - self.shard.first_source] for number in numbers]

    def find_source(self, path: str) -> list[tuple[int, Source]]:
        """Return the source at a path, with its position in the whole, if it is in the shard."""
        source = self.database.sources_by_path.get(path)
        if source is None:
            return []
        return [(self.database.sources.index(source) + self.shard.first_source, source)]

    def source_of(self, positions: np.ndarray) -> np.ndarray:
        """Return the source of units of the shard, int64, (n,), as its position in the whole."""
        here = positions - self.shard.first_position
        return self.database.units.source[here] + self.shard.first_source

    def frames(self, number: int, first: int, stop: int) -> np.ndarray | None:
        """Return `Database.frames_between` of a source."""
        return self.database.frames_between(number - self.shard.first_source, first, stop)

    def apply(self, function: Callable, *arguments: Any) -> Any:
        """Return what a function returns for the shard as a `Part`, and other arguments."""
        shard = self.shard
        part = Part(self.database, shard.first_source, shard.first_position)
        return function(part, *arguments)

    def _filtered(self, asked: Asked) -> tuple[np.ndarray, dict[str, int]]:
        """Return which units pass the filters, bool, (n_units,), and the counts."""
        if asked.filters not in self._allowed:
            found = apply_filters(self.database, asked.filters)
            _keep(self._allowed, asked.filters, found)
        return self._allowed[asked.filters]

    def _index(self, asked: Asked) -> UnitIndex | None:
        """Return the index of the units asked for, None if there are none."""
        if asked not in self._indexes:
            allowed, _ = self._filtered(asked)
            found = None
            if (allowed & (self.database.units.samples_left >= asked.min_samples)).any():
                space = Space(self.database, weights=dict(asked.weights), metric=asked.metric)
                found = UnitIndex(
                    space, min_samples=asked.min_samples, filters=asked.filters, kind=asked.kind
                )
            _keep(self._indexes, asked, found)
        return self._indexes[asked]


def _only_shard(whole: Database, corpus: ServedCorpus, shard: Shard) -> Database:
    """Return the database of a shard.

    Its indexes are kept apart: in the databases' folders, shards would find each other's.
    """
    folder = cache_folder("shards") / f"{corpus.id}-{len(corpus.shards)}-{shard.number}"
    folder.mkdir(parents=True, exist_ok=True)
    numbers = np.arange(shard.first_source, shard.stop_source)
    return only_sources(whole, numbers).changed(known_paths=whole.known_paths, index_folder=folder)


def _keep(kept: dict, key: Any, value: Any) -> None:
    """Add something to what is kept, in place of the oldest if it is full."""
    while len(kept) >= KEPT_INDEXES:
        del kept[next(iter(kept))]
    kept[key] = value


class LocalShards:
    """The shards of a corpus in this process."""

    def __init__(self, corpus: ServedCorpus) -> None:
        self._shards = {one.number: ShardSearch(corpus, one.number) for one in corpus.shards}
        self.n_calls = 0

    def call(self, method: str, arguments: Mapping[int, tuple]) -> dict[int, Any]:
        """Call a method of several shards; see `query.cluster.corpus.Shards`."""
        self.n_calls += 1
        return {
            number: getattr(self._shards[number], method)(*values)
            for number, values in arguments.items()
        }
