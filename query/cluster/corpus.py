"""A corpus that is searched in shards: what a driver and its shards have to agree on.

    driver   SearchSettings ──► Asked ──┬─► shard 0   sources 0 … 812       positions 0 … 1 040 210
                                        ├─► shard 1   sources 813 … 1 650
             merged by distance    ◄────┴─► shard 2   …

A shard is a range of sources, and so no run crosses from one to another. Units have the positions
of the whole corpus everywhere outside a shard.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import xxhash

from db.database import Database
from db.normaliser import Normaliser
from db.settings import DescriptorSettings
from db.union import unite
from files.errors import ParameterError
from files.names import quoted
from query.filters import Filters
from query.metrics import parse_metric
from query.names import AUTO
from query.proposals import choose_kind

KEPT_INDEXES = 2  # of a shard, for different filters or weights
UNIT_BYTES = 5 * 8 + 8 + 2  # unit table, positions that can be found, and masks
SOURCE_BYTES = 600  # of a source in Python, of which each shard knows all
LIST_BYTES = 8  # the id of a unit in a cell

Spec = tuple[str, Path]  # the name of a database, and its folder


@dataclass(frozen=True)
class Shard:
    """A range of sources, and of units, of a corpus.

    Attributes
    ----------
    number : int
    first_source, stop_source : int
        Positions in `Database.sources` of the whole corpus.
    first_position, n_units : int
        Positions in `Database.units` of the whole corpus.
    n_bytes : int
        Memory that searching it needs at most, besides descriptors, which are mapped from disk.
    """

    number: int
    first_source: int
    stop_source: int
    first_position: int
    n_units: int
    n_bytes: int


@dataclass(frozen=True)
class ServedCorpus:
    """What a driver knows of a corpus: nothing that grows with it.

    Attributes
    ----------
    specs : tuple of (str, Path)
        Name and absolute path of each database.
    normaliser_name : str, optional
        The database whose mean and standard deviation are used; None for those of all together.
    id : str
        That of the database or of the union of them.
    version : str
        As `version_of`; another one means that a database has changed.
    settings : DescriptorSettings
    normaliser : Normaliser
    description : dict
        `Database.describe`, for plans.
    names : tuple of str
        Of the databases, if there are several.
    member_starts : tuple of int
        The first position of each database.
    n_sources, n_units, n_samples : int
        Samples of all units together.
    longest, shortest : int
        Most samples from a unit's start to the end of its source; fewest samples in a unit.
    longest_unit : int
        Most samples in a unit.
    kind : str
        Of the index, one of `query.names.INDEX_KINDS` or "auto".
    shards : tuple of Shard
        In the order of their positions.
    """

    specs: tuple[Spec, ...]
    normaliser_name: str | None
    id: str
    version: str
    settings: DescriptorSettings
    normaliser: Normaliser
    description: dict[str, Any]
    names: tuple[str, ...]
    member_starts: tuple[int, ...]
    n_sources: int
    n_units: int
    n_samples: int
    longest: int
    shortest: int
    longest_unit: int
    kind: str
    shards: tuple[Shard, ...]

    def __str__(self) -> str:
        return ", ".join(str(path) for _, path in self.specs)


@dataclass(frozen=True)
class Asked:
    """What an index is made for; two that are equal have the same index.

    Attributes
    ----------
    filters : Filters
    weights : tuple of (str, float)
    metric : str
    min_samples : int
        Least number of samples from a unit's start to the end of its source.
    kind : str
    """

    filters: Filters = field(default_factory=Filters)
    weights: tuple[tuple[str, float], ...] = ()
    metric: str = "l2"
    min_samples: int = 1
    kind: str = AUTO


class Part(NamedTuple):
    """Sources of a corpus that are in one place: all of them, or a shard.

    Attributes
    ----------
    database : Database
        Of these sources only.
    first_source, first_position : int
        Where they begin in the corpus.
    """

    database: Database
    first_source: int = 0
    first_position: int = 0


class Shards(Protocol):
    """Calls methods of `query.cluster.shard.ShardSearch` on several shards at once."""

    def call(self, method: str, arguments: Mapping[int, tuple]) -> dict[int, Any]:
        """Return what a method returns for each shard, given its arguments by shard.

        Raises
        ------
        DemiurgeError
            What the method raises; or if a shard does not answer.
        """
        ...


def words_of(specs: Iterable[Spec], between: str = " ") -> str:
    """Return databases as words of a command, with their names where paths do not say them."""
    specs = list(specs)
    words = []
    for name, path in specs:
        is_plain = len(specs) == 1 or name == path.name.removesuffix(".db")
        words.append(quoted(path) if is_plain else f"{name}={quoted(path)}")
    return between.join(words)


def open_corpus(specs: Iterable[Spec], normaliser_name: str | None = None) -> Database:
    """Open one or several databases as one; raises as `db.union.unite`."""
    return unite({name: Database(path) for name, path in specs}, normaliser=normaliser_name)


def plan_shards(
    specs: Iterable[tuple[str, str | Path]],
    n_shards: int,
    *,
    normaliser_name: str | None = None,
    kind: str = AUTO,
) -> ServedCorpus:
    """Divide databases into shards of about as many units.

    Parameters
    ----------
    specs : iterable of (str, path)
        Name and folder of each database.
    n_shards : int
        There are fewer if there are fewer sources, and more if there are more databases: a shard
        is of one.
    kind : str
        Of the index, for `Shard.n_bytes`.

    Raises
    ------
    ParameterError
        If n_shards is below 1, or there is no index of that kind.
    DatabaseError
        As `db.union.unite`, or if there are no units.
    """
    if n_shards < 1:
        raise ParameterError(f"shards={n_shards} must be at least 1")
    absolute = tuple((name, Path(path).absolute()) for name, path in specs)
    database = open_corpus(absolute, normaliser_name)
    normaliser = database.normaliser  # raises if there are no units
    counts = np.array([source.n_units for source in database.sources], np.int64)
    samples = np.array([source.n_samples for source in database.sources], np.int64)
    shortest, longest_unit = _unit_lengths(database, counts, samples)
    return ServedCorpus(
        specs=absolute,
        normaliser_name=normaliser_name,
        id=database.id,
        version=version_of(database),
        settings=database.settings,
        normaliser=normaliser,
        description=database.describe(),
        names=database.names,
        member_starts=tuple(_starts_of_members(database, counts)),
        n_sources=len(counts),
        n_units=int(counts.sum()),
        n_samples=int(samples.sum()),
        longest=int(samples.max()),
        shortest=shortest,
        longest_unit=longest_unit,
        kind=kind,
        shards=_divide(database, counts, n_shards, kind),
    )


def _unit_lengths(database: Database, counts: np.ndarray, samples: np.ndarray) -> tuple[int, int]:
    """Return the fewest and most samples in a unit, given units and samples of each source."""
    if database.unit_lengths is not None:
        return int(database.unit_lengths.min()), int(database.unit_lengths.max())
    # frames: only the last of a source is shorter
    hop = database.hop_length
    return int((samples - (counts - 1) * hop).min()), int(np.minimum(samples, hop).max())


def _starts_of_members(database: Database, counts: np.ndarray) -> list[int]:
    """Return the first position of each of several databases, given the units of each source."""
    of_each = np.bincount(database.source_member, counts, minlength=max(len(database.names), 1))
    return (np.cumsum(of_each) - of_each).astype(np.int64).tolist()


def _divide(database: Database, counts: np.ndarray, n_shards: int, kind: str) -> tuple[Shard, ...]:
    """Divide sources of so many units, int64, (n_sources,), into shards of one database each."""
    width = database.settings.n_descriptors
    ends = np.cumsum(counts)
    bounds = [0]
    for member in np.unique(database.source_member).tolist():
        first, stop = np.searchsorted(database.source_member, (member, member + 1)).tolist()
        share = counts[first:stop].sum() / ends[-1]
        bounds += (first + _bounds(counts[first:stop], max(round(share * n_shards), 1))).tolist()
    shards = []
    for number, (first, stop) in enumerate(pairwise(bounds)):
        n_units = int(counts[first:stop].sum())
        n_bytes = shard_bytes(n_units, width, kind) + SOURCE_BYTES * len(counts)
        first_position = int(ends[first] - counts[first])
        shards.append(Shard(number, first, stop, first_position, n_units, n_bytes))
    return tuple(shards)


def _bounds(counts: np.ndarray, n_shards: int) -> np.ndarray:
    """Return where shards of about as many units end, int64; each has a source at least."""
    n_shards = min(n_shards, len(counts))
    ends = np.append(0, np.cumsum(counts))
    numbers = np.arange(1, n_shards + 1)
    wanted = ends[-1] * numbers // n_shards
    after = np.searchsorted(ends, wanted)
    nearer_before = wanted - ends[after - 1] < ends[after] - wanted
    stops = after - nearer_before
    stops = np.maximum.accumulate(stops - numbers) + numbers  # each after the one before
    return np.clip(stops, numbers, len(counts) - n_shards + numbers)


def shard_bytes(n_units: int, width: int, kind: str) -> int:
    """Return the memory in bytes that a shard needs for its units and indexes."""
    chosen = choose_kind(kind, parse_metric("l2"), n_units, width)
    of_vector = {"flat": 4 * width, "ivf": 4 * width + LIST_BYTES, "pq": width // 2 + LIST_BYTES}
    return n_units * (UNIT_BYTES + KEPT_INDEXES * of_vector[chosen])


def version_of(database: Database) -> str:
    """Return what changes if units of a database are added, removed or described anew."""
    lines = [f"{s.first_unit} {s.n_units} {s.checksum} {s.path}" for s in database.sources]
    return xxhash.xxh3_128_hexdigest("\n".join([database.id, *lines]).encode())
