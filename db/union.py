"""Several databases as one.

Its sources are those of all members, one member after the other, named `drums:loops/one.wav`. A
unit has a position and an id in the whole; its stored id is that in its own database. Nothing is
written, and no descriptors are copied.
"""

import logging
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xxhash

from db.database import Database
from db.derived import only_sources
from db.derived_rows import Rows
from db.normaliser import pool_normalisers
from db.source import Failure, Source
from db.source_files import first_few
from files.cache import cache_folder
from files.errors import ParameterError
from files.names import printable
from files.roots import Roots, named_source

NAME = re.compile(r"[\w.-]+")

log = logging.getLogger(__name__)


class Union(Database):
    """Several databases of the same settings, which are searched and played as one.

    Attributes other than those of a database:

    Attributes
    ----------
    members : dict of str to Database
        By name, without the sources that an earlier member has; empty if this was derived.
    normaliser_name : str, optional
        The member whose mean and standard deviation are those of the whole.
    """

    def __init__(self, members: Mapping[str, Database], normaliser: str | None = None) -> None:
        """Unite opened databases; raises as `unite`."""
        first = next(iter(members.values()))
        self.members = _once_each(members)
        self.names = tuple(members)
        self._frames = tuple(self.members.values())
        opened = self._frames
        self.path = Path(", ".join(str(database.path) for database in opened))  # for messages
        self.root = first.root
        self._roots = Roots({n: d.roots.folders[""] for n, d in self.members.items()})
        self.settings = first.settings
        self.id = _identify(members)
        self.normaliser_name = normaliser
        self._normaliser = (
            pool_normalisers((database.n_units, database.normaliser) for database in opened)
            if normaliser is None
            else members[normaliser].normaliser
        )
        widths = np.array([database.next_unit for database in opened], np.int64)
        self.first_ids = np.cumsum(widths) - widths
        self.sources = self._name_sources()
        counts = [len(database.sources) for database in opened]
        self.source_member = np.repeat(np.arange(len(opened)), counts)
        self.failures = [
            Failure(named_source(name, failure.path), failure.error)
            for name, database in self.members.items()
            for failure in database.failures
        ]
        self.warnings = self._named("warnings")
        self.tags = self._named("tags")
        self.semitones = np.zeros(len(self.sources), np.int64)
        self.copy_ids = 0
        self.index_folder = cache_folder("indexes") / self.id
        lengths = [database.unit_lengths for database in opened]
        self.unit_lengths = (
            None
            if first.unit_lengths is None
            else np.concatenate([one for one in lengths if one is not None])
        )
        self.rows = RowsOfMembers([database.rows for database in opened], self.first_ids, counts)

    def _name_sources(self) -> list[Source]:
        return [
            source._replace(
                path=named_source(name, source.path), first_unit=source.first_unit + first
            )
            for (name, database), first in zip(
                self.members.items(), self.first_ids.tolist(), strict=True
            )
            for source in database.sources
        ]

    def _named(self, attribute: str) -> dict[str, Any]:
        """Return an attribute of all members that is kept by the path of a source."""
        return {
            named_source(name, path): value
            for name, database in self.members.items()
            for path, value in getattr(database, attribute).items()
        }

    @property
    def roots(self) -> Roots:
        return self._roots

    def describe(self) -> dict[str, Any]:
        databases = zip(self.names, self._frames, strict=True)
        return {
            "id": self.id,
            "databases": {name: database.describe() for name, database in databases},
        }

    def stored_id(self, position: int) -> int:
        member = self.source_member[self.units.source[position]]
        return super().stored_id(position) - int(self.first_ids[member])

    def find_stored(self, ids: Sequence[int], sources: Sequence[str]) -> np.ndarray:
        firsts = dict(zip(self.names, self.first_ids.tolist(), strict=True))
        next_ids = dict(zip(self.names, (d.next_unit for d in self._frames), strict=True))
        wanted = np.full(len(ids), -1, np.int64)
        for row, (unit, source) in enumerate(zip(ids, sources, strict=True)):
            name = source.partition(":")[0]
            if 0 <= unit < next_ids.get(name, 0):
                wanted[row] = firsts[name] + unit
        return self.units.find(wanted)

    def source_frames(self, number: int) -> np.ndarray:
        source = self.sources[number]
        if not source.is_stored:
            return np.empty((0, len(self.settings.frame_names)), np.float32)
        database = self._frames[int(self.source_member[number])]
        return database.source_frames(database.source_numbers[source.id])

    def changed(self, **attributes: Any) -> "Union":
        return super().changed(**{"members": {}, **attributes})


class RowsOfMembers:
    """The rows of several databases, one after the other."""

    def __init__(
        self, parts: Sequence[Rows], first_ids: np.ndarray, n_sources: Sequence[int]
    ) -> None:
        """Take the rows of each member, its first id in the whole, and its number of sources."""
        self._parts = parts
        self._first_ids = first_ids
        self._first_numbers = np.cumsum(n_sources) - n_sources

    @property
    def all_intact(self) -> bool:
        return all(part.all_intact for part in self._parts)

    def of_source(self, number: int) -> np.ndarray:
        member = int(np.searchsorted(self._first_numbers, number, side="right")) - 1
        return self._parts[member].of_source(number - int(self._first_numbers[member]))

    def check(self, numbers: np.ndarray) -> None:
        members = np.searchsorted(self._first_numbers, numbers, side="right") - 1
        for member in np.unique(members).tolist():
            own = numbers[members == member] - self._first_numbers[member]
            self._parts[member].check(own)

    def take(self, ids: np.ndarray) -> np.ndarray:
        members = np.searchsorted(self._first_ids, ids, side="right") - 1
        found = np.unique(members).tolist()
        if len(found) == 1:
            return self._parts[found[0]].take(ids - self._first_ids[found[0]])
        rows: np.ndarray | None = None
        for member in found:
            own = members == member
            taken = self._parts[member].take(ids[own] - self._first_ids[member])
            if rows is None:
                rows = np.empty((len(ids), taken.shape[1]), np.float32)
            rows[own] = taken
        return self._parts[0].take(ids) if rows is None else rows


def unite(databases: Mapping[str, Database], *, normaliser: str | None = None) -> Database:
    """Return several databases as one; one alone is returned as it is.

    A sound that two of them have is only taken from the first, and a warning says so.

    Parameters
    ----------
    databases : mapping of str to Database
        By name. Names are letters, digits, `.`, `_` and `-`.
    normaliser : str, optional
        The one whose mean and standard deviation are used; by default, those of all units together.

    Raises
    ------
    ParameterError
        If a name is not valid, or is that of a descriptor; if none is called `normaliser`; or if
        all that one holds is in others before it.
    DatabaseError
        If their settings differ, or one holds no units.
    """
    if normaliser is not None and normaliser not in databases:
        known = ", ".join(databases)
        raise ParameterError(f"normaliser={normaliser!r} must be the name of a database: {known}")
    if len(databases) == 1:
        return next(iter(databases.values()))
    for name, database in databases.items():
        _check_name(name, database)
    first = next(iter(databases.values()))
    for database in databases.values():
        first.settings.check_matches(
            database.settings,
            mine=f"the database {first.path}",
            theirs=f"the database {database.path}",
        )
        _ = database.normaliser  # raises if there are no units
    return Union(databases, normaliser)


def _check_name(name: str, database: Database) -> None:
    if not NAME.fullmatch(name):
        raise ParameterError(
            f"database name {printable(name)!r} must be of letters, digits, '.', '_' and '-'; give"
            f" another: NAME={database.path}"
        )
    settings = database.settings
    if name in (*settings.descriptors, *settings.names):
        raise ParameterError(
            f"database name {name!r} is that of a descriptor; give another: NAME={database.path}"
        )


def _identify(members: Mapping[str, Database]) -> str:
    """Return what tells this set of databases from others, whatever their order."""
    lines = sorted(f"{name} {database.id}" for name, database in members.items())
    return xxhash.xxh3_128_hexdigest("\n".join(lines).encode())


def _once_each(members: Mapping[str, Database]) -> dict[str, Database]:
    """Return the members without the sources that an earlier one has."""
    known: dict[str, str] = {}
    kept = {}
    for name, database in members.items():
        again = [i for i, source in enumerate(database.sources) if source.content_hash in known]
        if again:
            first = known[database.sources[again[0]].content_hash]
            paths = [database.sources[number].path for number in again]
            if len(again) == len(database.sources):
                raise ParameterError(
                    f"database {name}: all its sources are in {first} or another database before"
                    " it; leave it out"
                )
            log.warning(
                "%d of the sources of %s are in %s or another database before it as well, and are"
                " used once: %s",
                len(again),
                name,
                first,
                first_few(paths),
            )
            kept[name] = _without(database, again)
        else:
            kept[name] = database
        known |= {source.content_hash: name for source in database.sources if source.content_hash}
    return kept


def _without(database: Database, numbers: list[int]) -> Database:
    """Return a database without some sources, whose indexes are kept apart from those of all."""
    kept = np.delete(np.arange(len(database.sources)), numbers)
    left = only_sources(database, kept)
    contents = "\n".join(source.content_hash for source in left.sources)
    hashed = xxhash.xxh3_128_hexdigest(f"{database.id}\n{contents}".encode())
    return left.changed(index_folder=cache_folder("indexes") / hashed)
