"""Filter units by source, tag, place, length, loudness or any descriptor.

Conditions are parsed, never evaluated as code.
"""

import operator
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np

from db.columns import DESCRIPTOR_NAMES, columns_of
from db.database import Database
from db.settings import METRICAL, STD_SUFFIX
from db.source_names import fitting_sources
from files.errors import ParameterError
from files.ranges import shown
from files.roots import SEPARATOR
from query.left_units import check_some_left
from query.likeness import LIKE, Likeness, likeness_of, most_alike

RELATIONS: dict[str, Callable] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
CONDITION = re.compile(
    r"\s*(?:([\w.-]+):)?([\w-]+)\s*(>=|<=|>|<)\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*"
)

Range = tuple[float, float]
EVERYTHING: Range = (-np.inf, np.inf)
LOUDNESS = "loudness"
UNIT_COLUMNS = ("start_s", "length_ms")  # conditions may name these beside the descriptors
RANGES = ("seconds", "milliseconds", LOUDNESS)  # of `Filters`


@dataclass(frozen=True)
class Condition:
    """Compares a descriptor, or one of `UNIT_COLUMNS`, with a number in the same unit.

    If it names one of several databases, it holds for the units of that one only.
    """

    column: str
    relation: str
    value: float
    database: str = ""

    def __str__(self) -> str:
        condition = f"{self.column}{self.relation}{self.value!r}".removesuffix(".0")
        return f"{self.database}{SEPARATOR}{condition}" if self.database else condition


@dataclass(frozen=True)
class Filters:
    """Conditions on units, all of which a unit must meet.

    Attributes
    ----------
    sources : tuple of str
        Paths or patterns, see `db.source_names`. The source must match one of them; if empty, every
        source does.
    tags : tuple of str
        The source must have one of these tags; if empty, it need not have any.
    seconds : (least, most)
        Start of the unit in its source.
    milliseconds : (least, most)
        Length of the unit.
    loudness : (least, most)
        LUFS.
    where : tuple of Condition
    like : Likeness, optional
        Only units that sound like this: those that conditions on `like` leave, or the most alike.
    """

    sources: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    seconds: Range = EVERYTHING
    milliseconds: Range = EVERYTHING
    loudness: Range = EVERYTHING
    where: tuple[Condition, ...] = ()
    like: Likeness | None = None

    @property
    def like_has_condition(self) -> bool:
        """True if a condition says how much units must sound like it."""
        return any(one.column == LIKE for one in self.where)

    def to_dict(self) -> dict[str, Any]:
        """Return the filters that are set, for JSON; open sides are null."""
        facts: dict[str, Any] = {
            "sources": list(self.sources),
            "tags": list(self.tags),
            "where": [str(condition) for condition in self.where],
        }
        for name in RANGES:
            facts[name] = [side if np.isfinite(side) else None for side in getattr(self, name)]
        if self.like is not None:
            facts[LIKE] = self.like.to_dict()
        return {name: value for name, value in facts.items() if value not in ([], [None, None])}

    @classmethod
    def from_dict(cls, facts: Any) -> Self:
        """Return the filters that `to_dict` turned into `facts`.

        Raises
        ------
        ParameterError
            If `facts` is anything else.
        """
        names = [one.name for one in fields(cls)]
        if not isinstance(facts, dict) or not facts.keys() <= set(names):
            raise ParameterError(
                f"filters={shown(facts)} must be an object with some of {', '.join(names)}"
            )
        sources, tags, where = (
            _take_texts(name, facts.get(name, [])) for name in ("sources", "tags", "where")
        )
        ranges = {name: _take_range(name, facts.get(name, [None, None])) for name in RANGES}
        like = Likeness.from_dict(facts[LIKE]) if LIKE in facts else None
        return cls(sources, tags, where=tuple(map(parse_condition, where)), like=like, **ranges)


def parse_condition(text: str) -> Condition:
    """Parse a condition such as `centroid>1000`.

    Raises
    ------
    ParameterError
        If the text is not a condition, or its number is too large.
    """
    match = CONDITION.fullmatch(text)
    if not match:
        raise ParameterError(
            f"{text!r} is not a condition; write a descriptor, {' or '.join(UNIT_COLUMNS)}, then"
            f" one of {' '.join(RELATIONS)}, and a number"
        )
    database, column, relation, number = match.groups()
    value = float(number)
    if not np.isfinite(value):
        raise ParameterError(f"{text!r}: the number is too large; write a smaller one")
    return Condition(column, relation, value, database or "")


def _take_texts(name: str, values: Any) -> tuple[str, ...]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise ParameterError(f"{name}={shown(values)} must be a list of texts")
    return tuple(values)


def _take_range(name: str, sides: Any) -> Range:
    """Check a range [least, most] from JSON, in which null means open."""
    numbers = isinstance(sides, list) and all(
        side is None or type(side) in (int, float) for side in sides
    )
    if not numbers or len(sides) != len(EVERYTHING):
        raise ParameterError(
            f"{name}={shown(sides)} must be [least, most], two numbers, or null where it is open"
        )
    least, most = (
        end if side is None else float(side) for side, end in zip(sides, EVERYTHING, strict=True)
    )
    if not least <= most:
        raise ParameterError(
            f"{name}={shown(sides)} is an empty range; write the smaller number first"
        )
    return least, most


def filter_units(database: Database, filters: Filters) -> tuple[np.ndarray, dict[str, int]]:
    """Return `apply_filters`, of which something must be left.

    Raises
    ------
    ParameterError
        As `apply_filters`, or if no unit is left; the message then says how many units each filter
        left.
    """
    allowed, counts = apply_filters(database, filters)
    check_some_left(database.path, counts)
    return allowed, counts


def apply_filters(database: Database, filters: Filters) -> tuple[np.ndarray, dict[str, int]]:
    """Apply the filters one after another.

    Returns
    -------
    allowed : ndarray, bool, shape (n_units,)
    counts : dict
        Number of units left after each filter, in order, by the filter's description.

    Raises
    ------
    ParameterError
        If there is no such descriptor or tag.
    """
    allowed = np.ones(len(database.units), bool)
    counts = {"all": len(database.units)}
    for name, fulfilled in _masks(database, filters):
        allowed &= fulfilled
        counts[name] = int(allowed.sum())
    if filters.like is not None and not filters.like_has_condition:
        allowed &= most_alike(likeness_of(database, filters.like), allowed)
        counts[f"like {filters.like}"] = int(allowed.sum())
    return allowed, counts


def _masks(database: Database, filters: Filters) -> Iterator[tuple[str, np.ndarray]]:
    """Yield each filter's description, and which units meet it, bool, (n_units,)."""
    units = database.units
    if filters.sources:
        fits = _find_fitting(database, filters.sources)
        yield f"source {' or '.join(filters.sources)}", fits[units.source]
    if filters.tags:
        tagged = _find_tagged(database, filters.tags)
        yield f"tagged {' or '.join(filters.tags)}", tagged[units.source]
    if filters.seconds != EVERYTHING:
        seconds = units.start_sample / database.sample_rate
        yield _range_mask("seconds", filters.seconds, seconds)
    if filters.milliseconds != EVERYTHING:
        milliseconds = units.n_samples * 1000 / database.sample_rate
        yield _range_mask("milliseconds", filters.milliseconds, milliseconds)
    if filters.loudness != EVERYTHING:
        yield _range_mask("LUFS", filters.loudness, _descriptor_values(database, LOUDNESS))
    for condition in filters.where:
        values = _condition_values(database, condition.column, filters.like)
        fulfilled = RELATIONS[condition.relation](values, condition.value)
        if condition.database:
            fulfilled |= ~_of_database(database, condition)
        yield str(condition), fulfilled


def _of_database(database: Database, condition: Condition) -> np.ndarray:
    """Return which units are of the database that a condition names, bool, (n_units,)."""
    if condition.database not in database.names:
        known = ", ".join(database.names) or "only one, which has no name"
        raise ParameterError(
            f"{condition}: no database is called {condition.database!r}; there are {known}"
        )
    number = database.names.index(condition.database)
    return (database.source_member == number)[database.units.source]


def _find_fitting(database: Database, patterns: tuple[str, ...]) -> np.ndarray:
    """Return which sources a pattern means, bool, (n_sources,).

    Of several databases, a pattern that names none means the sources of all.
    """
    paths = [source.path for source in database.sources]
    fitting: set[str] = set()
    for pattern in patterns:
        if database.names and pattern.partition(SEPARATOR)[0] not in database.names:
            own = {path: path.partition(SEPARATOR)[2] for path in paths}
            found = fitting_sources(own.values(), pattern)
            fitting |= {path for path in paths if own[path] in found}
        else:
            fitting |= fitting_sources(paths, pattern)
    return np.array([path in fitting for path in paths], bool)


def _find_tagged(database: Database, tags: tuple[str, ...]) -> np.ndarray:
    """Return which sources have one of the tags, bool, (n_sources,)."""
    known = set().union(*database.tags.values())
    unknown = sorted(set(tags) - known)
    if unknown:
        raise ParameterError(
            f"no source of {database.path} is tagged {unknown[0]!r}; there are"
            f" {', '.join(sorted(known)) or 'no tags'}: give some with demiurge db tag"
        )
    own_tags = [database.tags.get(source.path, set()) for source in database.sources]
    return np.array([not own.isdisjoint(tags) for own in own_tags], bool)


def _range_mask(unit: str, limits: Range, values: np.ndarray) -> tuple[str, np.ndarray]:
    least, most = limits
    return f"{least:g} to {most:g} {unit}", (values >= least) & (values <= most)


def _condition_values(database: Database, column: str, like: Likeness | None) -> np.ndarray:
    """Return the values that a condition compares, one for each unit."""
    if column == LIKE and like is not None:
        return likeness_of(database, like)
    if column == LIKE:
        raise ParameterError(f"a condition on {LIKE} goes with --like, which says what is alike")
    if column == "start_s":
        return database.units.start_sample / database.sample_rate
    if column == "length_ms":
        return database.units.n_samples * 1000 / database.sample_rate
    return _descriptor_values(database, column)


def _descriptor_values(database: Database, column: str) -> np.ndarray:
    """Return a column of the descriptors, or raise an error that says how to get it."""
    settings = database.settings
    if column in settings.names:
        return database.column(column)
    if column in METRICAL:
        raise ParameterError(
            f"{database.path} has no {column}; build a database with --units beat/4"
        )
    for descriptor in set(DESCRIPTOR_NAMES) - set(settings.descriptors):
        columns = columns_of(descriptor, n_mfcc=settings.n_mfcc).names
        if column.removesuffix(STD_SUFFIX) in columns:
            wanted = ",".join((*settings.descriptors, descriptor))
            raise ParameterError(
                f"{database.path} has no {column}; build a database with --descriptors {wanted}"
            )
    known = ", ".join((*UNIT_COLUMNS, *settings.names))
    raise ParameterError(f"no descriptor {column!r} in {database.path}; there are {known}")
