"""A database in shards, of which a driver sees what it looks at."""

from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from pathlib import Path
from typing import Any, NoReturn, Self, cast

import numpy as np

from db.database import Database
from db.derived_rows import transpose_each
from db.normaliser import Normaliser
from db.source import Source
from db.unit_table import Units
from files.errors import ParameterError
from files.remote import RemoteFolder
from files.roots import Folder, Roots
from query.cluster.corpus import ServedCorpus, Shards
from query.cluster.pages import CACHE_BYTES, Pages
from query.cluster.shard import BLOCK

MovedTo = str | Folder | Roots | Mapping[str, str | Folder] | None


class PagedColumn:
    """A column of the unit table; positions in it are looked up, and the whole is refused."""

    def __init__(self, pages: Pages, name: str) -> None:
        self._pages = pages
        self._name = name

    def __len__(self) -> int:
        return self._pages.corpus.n_units

    def __getitem__(self, positions: Any) -> Any:
        if isinstance(positions, slice):
            _refuse(self._pages.corpus, f"{self._name} of a part of all units")
        wanted = np.asarray(positions)
        if wanted.dtype.kind == "b":
            _refuse(self._pages.corpus, f"{self._name} of a part of all units")
        taken = self._pages.take(self._name, wanted)
        return taken if taken.shape else taken[()]

    def __array__(self, *_: Any, **__: Any) -> NoReturn:
        _refuse(self._pages.corpus, f"{self._name} of all units")

    def __iter__(self) -> NoReturn:
        _refuse(self._pages.corpus, f"{self._name} of all units")


class PagedUnits(Units):
    """A unit table, columns of which are looked up in pages."""

    def __init__(self, pages: Pages) -> None:
        names = ("ids", "source", "start_sample", "n_samples", "samples_left")
        super().__init__(*(cast(np.ndarray, PagedColumn(pages, name)) for name in names))
        object.__setattr__(self, "_pages", pages)  # the class is frozen

    _pages: Pages

    @property
    def longest(self) -> int:
        return self._pages.corpus.longest

    @property
    def shortest(self) -> int:
        return self._pages.corpus.shortest

    @property
    def longest_unit(self) -> int:
        return self._pages.corpus.longest_unit

    @property
    def mean_length(self) -> float:
        return self._pages.corpus.n_samples / self._pages.corpus.n_units

    def source_span(self, position: int) -> tuple[int, int]:
        source = self._pages.source(self.source[position])
        first = position - (int(self.ids[position]) - source.first_unit)
        return first, first + source.n_units

    def find(self, ids: np.ndarray | Sequence[int] | int) -> np.ndarray:
        wanted = np.asarray(ids, np.int64)
        found = self._pages.shards.call("find", self._pages.to_all(wanted.ravel()))
        return np.maximum.reduce(list(found.values())).reshape(wanted.shape)

    def expect(self, positions: np.ndarray, n_samples: np.ndarray) -> None:
        self._pages.expect(positions)
        there, _ = self.after(positions, n_samples)
        self._pages.expect(there[there >= 0])

    def after(self, positions: np.ndarray, n_samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if (n_samples == self.n_samples[positions]).all():
            following = self.successors(positions)
            return following, following
        lasts = n_samples < self.samples_left[positions]
        settings = self._pages.corpus.settings
        if settings.units == "frame":
            there = np.where(lasts, positions + n_samples // settings.hop_length, -1)
            return there, np.where(n_samples % settings.hop_length == 0, there, -1)
        there = np.full(len(positions), -1)
        starting = there.copy()
        there[lasts], starts = self._walk(positions[lasts], n_samples[lasts])
        starting[lasts] = np.where(starts, there[lasts], -1)
        return there, starting

    def _walk(self, at: np.ndarray, n_samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the unit that contains the sample `n_samples` after the start of each.

        Also return whether it starts there. No source ends before.
        """
        until = self.start_sample[at] + n_samples
        source = self.source[at]
        at = at.copy()
        walking = np.arange(len(at))
        while len(walking):
            ahead = at[walking, None] + np.arange(1, BLOCK + 1)
            exists = ahead < len(self)
            ahead = np.minimum(ahead, len(self) - 1)
            begun = self.start_sample[ahead] <= until[walking, None]
            n_begun = (exists & begun & (self.source[ahead] == source[walking, None])).sum(axis=1)
            at[walking] += n_begun
            walking = walking[n_begun == BLOCK]
        return at, self.start_sample[at] == until


class PagedSources(Sequence[Source]):
    """The sources of a corpus, looked up by their positions."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages

    def __len__(self) -> int:
        return self._pages.corpus.n_sources

    def __getitem__(self, number: Any) -> Any:
        if isinstance(number, slice):
            _refuse(self._pages.corpus, "a part of all sources")
        return self._pages.source(number)

    def __iter__(self) -> NoReturn:
        _refuse(self._pages.corpus, "a list of all sources")


class SourcesByPath(Mapping[str, Source]):
    """The sources of a corpus, looked up by their paths."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages

    def __len__(self) -> int:
        return self._pages.corpus.n_sources

    def __getitem__(self, path: str) -> Source:
        number = self._pages.number_of(path)
        if number < 0:
            raise KeyError(path)
        return self._pages.source(number)

    def __iter__(self) -> Iterator[str]:
        _refuse(self._pages.corpus, "a list of all sources")


class PagedDatabase(Database):
    """A database in shards; whatever needs all of it raises a `ParameterError`.

    Attributes
    ----------
    pages : Pages
        What is known of its units, in a cache of bounded size.
    """

    def __init__(
        self,
        shards: Shards,
        corpus: ServedCorpus,
        *,
        root: MovedTo = None,
        max_bytes: int = CACHE_BYTES,
    ) -> None:
        """See a corpus through its shards.

        Parameters
        ----------
        root : folder or mapping, optional
            As `files.roots.Roots.moved`.
        max_bytes : int
            As `Pages`.
        """
        self.pages = Pages(shards, corpus, max_bytes=max_bytes)
        self.path = Path(str(corpus))  # for messages
        self.id = corpus.id
        self.settings = corpus.settings
        self.names = corpus.names
        self.members: dict[str, Database] = {}
        self.normaliser_name = corpus.normaliser_name
        self.copy_ids = 0
        self._semitones: np.ndarray | None = None
        self._roots = _roots_of(corpus).moved(root)
        self.sources = cast(list[Source], PagedSources(self.pages))
        self.units = PagedUnits(self.pages)

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("_"):
            raise AttributeError(name)
        _refuse(self.pages.corpus, name)

    @property
    def n_units(self) -> int:
        return self.pages.corpus.n_units

    @property
    def normaliser(self) -> Normaliser:
        return self.pages.corpus.normaliser

    @property
    def root(self) -> Path | RemoteFolder:  # type: ignore[override]
        return next(iter(self.roots.folders.values()))

    @property
    def roots(self) -> Roots:
        return self._roots

    def describe(self) -> dict[str, Any]:
        description = self.pages.corpus.description
        if not self.names:
            return {**description, "root": str(self.root)}
        members = {
            name: {**member, "root": str(self.roots.folders[name])}
            for name, member in description["databases"].items()
        }
        return {**description, "databases": members}

    @property
    def sources_by_path(self) -> dict[str, Source]:  # type: ignore[override]
        return cast(dict[str, Source], SourcesByPath(self.pages))

    @property
    def semitones(self) -> np.ndarray:  # type: ignore[override]
        if self._semitones is not None:
            return self._semitones
        return np.broadcast_to(np.int64(0), self.pages.corpus.n_sources)  # without memory

    def transposed(self, semitones: np.ndarray) -> Self:
        """Return `db.derived.transposed` of it."""
        changed = copy(self)
        changed._semitones = semitones
        return changed

    def rows_at(self, positions: np.ndarray) -> np.ndarray:
        rows = self.pages.take("rows", positions)
        if self._semitones is None:
            return rows
        semitones = self._semitones[self.units.source[positions]]
        return transpose_each(rows, semitones, self.settings)

    def frames_between(self, number: int, first: int, stop: int) -> np.ndarray | None:
        shard = self.pages.shard_of_source(int(number))
        return self.pages.shards.call("frames", {shard: (int(number), first, stop)})[shard]

    def stored_id(self, position: int) -> int:
        return int(self.pages.take("stored_ids", np.array(position)))

    def member_of(self, positions: np.ndarray) -> np.ndarray:
        """Return the number of each unit's database among several, int64."""
        starts = np.array(self.pages.corpus.member_starts, np.int64)
        return np.searchsorted(starts, positions, side="right") - 1

    def _refuse_whole(self) -> NoReturn:
        _refuse(self.pages.corpus, "all units")

    descriptors = property(_refuse_whole)  # type: ignore[assignment]
    sequences = property(_refuse_whole)  # type: ignore[assignment]
    column = property(_refuse_whole)  # type: ignore[assignment]
    source_descriptors = property(_refuse_whole)  # type: ignore[assignment]
    source_frames = property(_refuse_whole)  # type: ignore[assignment]
    find_stored = property(_refuse_whole)  # type: ignore[assignment]
    unit_checksums = property(_refuse_whole)
    next_unit = property(_refuse_whole)
    changed = property(_refuse_whole)  # type: ignore[assignment]


def _roots_of(corpus: ServedCorpus) -> Roots:
    """Return the corpus folders as the machine knew them that served it."""
    if not corpus.names:
        return Roots.of(corpus.description["root"])
    members = corpus.description["databases"]
    return Roots({name: members[name]["root"] for name in corpus.names})


def _refuse(corpus: ServedCorpus, what: str) -> NoReturn:
    raise ParameterError(
        f"{corpus} is searched in {len(corpus.shards)} shards, and this needs {what} in one place:"
        " do it without --cluster"
    )
