"""An index in shards: each finds its nearest units, and the driver merges them by distance."""

from collections.abc import Mapping
from functools import reduce

import numpy as np

from files.progress import Progress, no_progress
from query.cluster.alike import settle_likeness
from query.cluster.corpus import Asked
from query.cluster.paged import PagedDatabase
from query.cluster.pages import Pages
from query.cluster.shard import ShardFacts
from query.filters import Filters
from query.index import SEARCH_STEPS, Matches, UnitIndex, evenly
from query.left_units import check_some_left, none_long_enough
from query.names import AUTO
from query.space import Space


class AllowedUnits:
    """Which units pass the filters, looked up by their positions."""

    def __init__(self, pages: Pages, asked: Asked) -> None:
        self._pages = pages
        self._asked = asked

    def __getitem__(self, positions: np.ndarray | int) -> np.ndarray:
        return self._pages.allowed(self._asked, np.asarray(positions))


class RemoteIndex(UnitIndex):
    """Finds the units of a database in shards that are nearest to given descriptors.

    Attributes are those of `UnitIndex`; `allowed` is looked up, and not in memory.
    """

    def __init__(
        self,
        space: Space,
        *,
        min_samples: int = 1,
        filters: Filters | None = None,
        weights: Mapping[str, float] | None = None,
        kind: str = AUTO,
        progress: Progress = no_progress,
    ) -> None:
        """Let the shards of `space.database`, a `PagedDatabase`, index their units.

        Parameters
        ----------
        weights : mapping, optional
            Those of the space.
        min_samples, kind
            As `UnitIndex`.

        Raises
        ------
        ParameterError
            As `UnitIndex`.
        DemiurgeError
            If a shard does not answer.
        """
        assert isinstance(space.database, PagedDatabase)
        self.space = space
        self.progress = progress
        self._pages = space.database.pages
        self._asked = Asked(
            settle_likeness(space.database, filters or Filters()),
            tuple(sorted((weights or {}).items())),
            str(space.metric),
            min_samples,
            kind,
        )
        facts = self._ask_facts()
        self.counts = reduce(_add_counts, (one.counts for one in facts.values()))
        check_some_left(self.database.path, self.counts)
        self._found = {number: one.n_found for number, one in facts.items()}
        self._n_allowed = {number: one.n_allowed for number, one in facts.items()}
        self._n_sources = sum(one.n_sources for one in facts.values())
        if not len(self):
            most = max(one.longest for one in facts.values())
            raise none_long_enough(self.database.path, self.counts, min_samples, most)
        self._kinds = {one.kind for one in facts.values() if one.n_found}
        self._pages.ask_for(self._asked)
        self.allowed = AllowedUnits(self._pages, self._asked)  # type: ignore[assignment]

    def _ask_facts(self) -> dict[int, ShardFacts]:
        self.progress(0, 1, "asking the shards")
        facts = self._pages.shards.call("facts", self._pages.to_all(self._asked))
        return dict(sorted(facts.items()))

    def __len__(self) -> int:
        return sum(self._found.values())

    @property
    def kind(self) -> str:
        return " and ".join(sorted(self._kinds))

    @property
    def n_sources(self) -> int:
        return self._n_sources

    def search(self, sequence: np.ndarray, *, k: int) -> Matches:
        sequence = self.space.check_sequence(sequence)
        self.check_k(k)
        positions = np.empty((len(sequence), k), np.int64)
        distances = np.empty((len(sequence), k), np.float32)
        for start in range(0, len(sequence), SEARCH_STEPS):
            part = slice(start, min(start + SEARCH_STEPS, len(sequence)))
            positions[part], distances[part] = self._search_part(sequence[part], k)
            self.progress(part.stop, len(sequence), "finding candidates")
        return Matches(positions, distances)

    def _search_part(self, sequence: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        asked = {n: (self._asked, sequence, k) for n, n_found in self._found.items() if n_found}
        found = self._pages.shards.call("search", asked)
        # shards are in the order of their positions: a stable sort keeps it for equal distances
        positions = np.concatenate([found[number][0] for number in sorted(found)], axis=1)
        distances = np.concatenate([found[number][1] for number in sorted(found)], axis=1)
        nearest = np.argsort(distances, axis=1, kind="stable")[:, :k]
        return (
            np.take_along_axis(positions, nearest, axis=1),
            np.take_along_axis(distances, nearest, axis=1),
        )

    def spread(self, most: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        counts = np.array(list(self._n_allowed.values()), np.int64)
        ranks = evenly(int(counts.sum()), most)
        ends = np.cumsum(counts)
        shard = np.searchsorted(ends, ranks, side="right")
        asked = {
            number: (self._asked, ranks[shard == i] - (ends[i] - counts[i]))
            for i, number in enumerate(self._n_allowed)
            if (shard == i).any()
        }
        found = self._pages.shards.call("sample", asked)
        positions, rows, source = zip(*(found[number] for number in sorted(found)), strict=True)
        return np.concatenate(positions), np.concatenate(rows), np.concatenate(source)

    def sources_of(self, positions: np.ndarray) -> np.ndarray:
        return self._pages.sources_of(positions)


def _add_counts(a: dict[str, int], b: dict[str, int]) -> dict[str, int]:
    """Return the sums of the counts of two shards, which have the same filters."""
    return {name: count + b[name] for name, count in a.items()}
