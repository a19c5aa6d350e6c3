"""The units of a corpus in shards as far as a driver needs them, in a cache of bounded size.

Units arrive in blocks, with all that is known of them, and the least recently used block goes when
there is no room. What is asked for is fetched at once, from each shard by one call; blocks that
follow in their sources come along, since runs go on.
"""

from collections import OrderedDict
from dataclasses import fields

import numpy as np

from db.source import Source
from query.cluster.corpus import Asked, ServedCorpus, Shards
from query.cluster.shard import BLOCK, UnitBlocks

CACHE_BYTES = 256 << 20  # of blocks: 1.3 million frames of 39 descriptors
LEAST_BLOCKS = 256  # kept in any case: more than one step looks at
AHEAD = 3  # blocks fetched after one that was not there
MOST_AHEAD = 64  # missing blocks; more are not a run, but places all over the corpus
MOST_FETCHED = 1 << 13  # blocks in one call: 27 MB of 39 descriptors
KEPT_SOURCES = 1 << 15  # 20 MB
COLUMNS = [field.name for field in fields(UnitBlocks) if field.name != "sources"]


class Pages:
    """Blocks of units, fetched as they are needed.

    Parameters
    ----------
    max_bytes : int
        Memory for blocks; at least `LEAST_BLOCKS` are kept.

    Attributes
    ----------
    corpus : ServedCorpus
    shards : Shards
    n_calls, n_blocks : int
        How often blocks were fetched, and how many.
    """

    def __init__(
        self, shards: Shards, corpus: ServedCorpus, *, max_bytes: int = CACHE_BYTES
    ) -> None:
        self.shards = shards
        self.corpus = corpus
        self.n_calls = 0
        self.n_blocks = 0
        width = corpus.settings.n_descriptors
        self.capacity = max(max_bytes // block_bytes(width), LEAST_BLOCKS)
        self._asked: Asked | None = None
        self._first_positions = np.array([one.first_position for one in corpus.shards], np.int64)
        counts = np.array([-(-one.n_units // BLOCK) for one in corpus.shards], np.int64)
        self._block_ends = np.cumsum(counts)
        self._first_blocks = self._block_ends - counts
        self._sources: OrderedDict[int, Source] = OrderedDict()
        self._numbers: dict[str, int] = {}
        self._columns: dict[str, np.ndarray] = {}
        self._empty()

    def _empty(self) -> None:
        """Forget all blocks."""
        self._known = np.empty(0, np.int64)  # blocks that are there, ascending
        self._slots = np.empty(0, np.int64)  # and where
        self._used = np.zeros(self.capacity, np.int64)  # when each slot was used last
        self._clock = 0

    @property
    def n_bytes(self) -> int:
        """Memory in use for blocks."""
        return len(self._known) * block_bytes(self.corpus.settings.n_descriptors)

    def take(self, column: str, positions: np.ndarray) -> np.ndarray:
        """Return a column of `UnitBlocks` for units; negative positions count from the end.

        Returns
        -------
        ndarray, of the shape of `positions`, or with one more dimension for rows
        """
        positions = np.asarray(positions)
        flat = positions.ravel()
        if len(flat) > self.capacity:  # each could be in another block
            starts = range(0, len(flat), self.capacity)
            parts = [self._take(column, flat[at : at + self.capacity]) for at in starts]
            taken = np.concatenate(parts)
        else:
            taken = self._take(column, flat)
        return taken.reshape((*positions.shape, *taken.shape[1:]))

    def _take(self, column: str, positions: np.ndarray) -> np.ndarray:
        blocks, units = self._locate(positions)
        slots = self._find(blocks)
        return self._columns[column][slots, units]

    def allowed(self, asked: Asked, positions: np.ndarray) -> np.ndarray:
        """Return which units pass the filters of what is asked, bool, of the same shape."""
        self.ask_for(asked)
        return self.take("allowed", positions)

    def ask_for(self, asked: Asked) -> None:
        """Say of which filters blocks should tell what they allow; other blocks are forgotten."""
        if self._asked is None or asked.filters != self._asked.filters:
            self._asked = asked
            self._empty()

    def expect(self, positions: np.ndarray) -> None:
        """Fetch units that will be looked at soon, and what follows them, in one call per shard.

        At most half of the cache is filled with them.
        """
        blocks = np.unique(self._locate(positions)[0])
        blocks = np.union1d(blocks, self._after(blocks))[: self.capacity // 2]
        missing = np.setdiff1d(blocks, self._known, assume_unique=True)
        self._touch(np.setdiff1d(blocks, missing, assume_unique=True))
        if len(missing):
            self._fetch(missing)

    def source(self, number: int) -> Source:
        """Return a source by its position in `Database.sources`."""
        number = int(number)
        if number not in self._sources:
            shard = self.shard_of_source(number)
            (found,) = self.shards.call("sources", {shard: ([number],)})[shard]
            self._keep_sources({number: found})
        self._sources.move_to_end(number)
        return self._sources[number]

    def shard_of_source(self, number: int) -> int:
        """Return the shard that a source is in."""
        firsts = [one.first_source for one in self.corpus.shards]
        return int(np.searchsorted(firsts, number, side="right")) - 1

    def sources_of(self, positions: np.ndarray) -> np.ndarray:
        """Return the source of units, int64, of the same shape; no blocks are fetched."""
        shard = np.searchsorted(self._first_positions, positions, side="right") - 1
        numbers = np.unique(shard).tolist()
        wanted = {number: (positions[shard == number],) for number in numbers}
        found = self.shards.call("source_of", wanted)
        sources = np.empty(positions.shape, np.int64)
        for number in numbers:
            sources[shard == number] = found[number]
        return sources

    def number_of(self, path: str) -> int:
        """Return the position of the source at a path, -1 if there is none."""
        if path not in self._numbers:
            found = self.shards.call("find_source", self.to_all(path))
            self._keep_sources({number: one for each in found.values() for number, one in each})
        return self._numbers.get(path, -1)

    def to_all(self, *arguments: object) -> dict[int, tuple]:
        """Return the same arguments for every shard, as `Shards.call` takes them."""
        return {one.number: arguments for one in self.corpus.shards}

    def _keep_sources(self, sources: dict[int, Source]) -> None:
        self._sources.update(sources)
        self._numbers.update({one.path: number for number, one in sources.items()})
        while len(self._sources) > KEPT_SOURCES:
            _, oldest = self._sources.popitem(last=False)
            self._numbers.pop(oldest.path, None)

    def _locate(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the block of each unit, numbered through all shards, and its place in it."""
        positions = np.where(positions < 0, positions + self.corpus.n_units, positions)
        if len(positions) and not 0 <= positions.min() <= positions.max() < self.corpus.n_units:
            raise IndexError(f"positions must be within the {self.corpus.n_units} units")
        shard = np.searchsorted(self._first_positions, positions, side="right") - 1
        block, unit = np.divmod(positions - self._first_positions[shard], BLOCK)
        return block + self._first_blocks[shard], unit

    def _find(self, blocks: np.ndarray) -> np.ndarray:
        """Return the slots of blocks, which are fetched if they are not there."""
        slots, is_there = self._look_up(blocks)
        self._clock += 1
        self._used[slots[is_there]] = self._clock
        if not is_there.all():
            wanted = np.unique(blocks)
            missing = np.unique(blocks[~is_there])
            if len(missing) <= MOST_AHEAD:
                missing = self._with_following(missing, most=self.capacity - len(wanted))
            self._fetch(missing)
            slots, _ = self._look_up(blocks)
            self._used[slots] = self._clock
        return slots

    def _look_up(self, blocks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the slots of blocks, and which are there."""
        if not len(self._known):
            return np.zeros(len(blocks), np.int64), np.zeros(len(blocks), bool)
        places = np.minimum(np.searchsorted(self._known, blocks), len(self._known) - 1)
        return self._slots[places], self._known[places] == blocks

    def _touch(self, blocks: np.ndarray) -> None:
        """Mark blocks that are there as used."""
        self._clock += 1
        self._used[self._look_up(blocks)[0]] = self._clock

    def _after(self, blocks: np.ndarray) -> np.ndarray:
        """Return the block after each, or the same at the end of a shard."""
        shard = np.searchsorted(self._block_ends, blocks, side="right")
        return np.minimum(blocks + 1, self._block_ends[shard] - 1)

    def _with_following(self, missing: np.ndarray, *, most: int) -> np.ndarray:
        """Return missing blocks, and some after them that are missing as well, `most` in all."""
        following = [missing]
        for _ in range(AHEAD):
            following.append(self._after(following[-1]))
        ahead = np.setdiff1d(np.concatenate(following), np.union1d(missing, self._known))
        return np.concatenate([missing, ahead[: max(most - len(missing), 0)]])

    def _fetch(self, missing: np.ndarray) -> None:
        """Fetch blocks that are not there."""
        for start in range(0, len(missing), MOST_FETCHED):
            self._fetch_some(missing[start : start + MOST_FETCHED])

    def _fetch_some(self, missing: np.ndarray) -> None:
        shard = np.searchsorted(self._block_ends, missing, side="right")
        wanted = {
            number: (self._asked, missing[shard == number] - self._first_blocks[number])
            for number in np.unique(shard).tolist()
        }
        fetched = self.shards.call("units", wanted)
        self.n_calls += 1
        self.n_blocks += len(missing)
        slots = self._make_room(len(missing))
        for number, blocks in fetched.items():
            self._store(blocks, slots[shard == number])
        known = np.concatenate([self._known, missing])
        order = np.argsort(known)
        self._slots = np.concatenate([self._slots, slots])[order]
        self._known = known[order]
        self._used[slots] = self._clock

    def _make_room(self, n_blocks: int) -> np.ndarray:
        """Return so many slots, of which the least recently used ones are emptied."""
        n_free = self.capacity - len(self._known)
        if n_free < n_blocks:
            oldest = np.argsort(self._used[self._slots], kind="stable")[: n_blocks - n_free]
            self._known = np.delete(self._known, oldest)
            self._slots = np.delete(self._slots, oldest)
        taken = np.zeros(self.capacity, bool)
        taken[self._slots] = True
        return np.flatnonzero(~taken)[:n_blocks]

    def _store(self, blocks: UnitBlocks, slots: np.ndarray) -> None:
        self._keep_sources(blocks.sources)
        for name in COLUMNS:
            values = getattr(blocks, name)
            if name not in self._columns:
                # memory is only used where something is written
                self._columns[name] = np.empty((self.capacity, *values.shape[1:]), values.dtype)
            self._columns[name][slots] = values


def block_bytes(width: int) -> int:
    """Return the memory of a block of units of so many descriptors."""
    return BLOCK * (4 * width + 6 * 8 + 1)
