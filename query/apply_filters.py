"""Find the units that filters leave."""

from collections.abc import Iterator

import numpy as np

from db.columns import DESCRIPTOR_NAMES, columns_of
from db.database import Database
from db.settings import METRICAL, STD_SUFFIX
from db.source_names import fitting_sources
from files.errors import ParameterError
from files.names import listed
from files.roots import SEPARATOR
from query.filters import (
    EVERYTHING,
    LOUDNESS,
    RELATIONS,
    UNIT_COLUMNS,
    Condition,
    Filters,
    Range,
)
from query.left_units import check_some_left
from query.likeness import LIKE, Likeness, likeness_of, most_alike
from query.names import NOT


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
        values = likeness_of(database, filters.like)
        least = filters.like.least
        allowed &= most_alike(values, allowed) if least is None else values >= least
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
    """Return which sources patterns mean, bool, (n_sources,).

    Any of them may match, and none of those that begin with !. If all begin with it, the rest is
    meant.

    Raises
    ------
    ParameterError
        If a pattern that begins with ! matches nothing.
    """
    meant: set[str] = set()
    left_out: set[str] = set()
    only_left_out = True
    for pattern in patterns:
        found = _matching(database, pattern)
        if found or not pattern.startswith(NOT):
            meant |= found
            only_left_out = False
        elif excluded := _matching(database, pattern[len(NOT) :]):
            left_out |= excluded
        else:
            raise ParameterError(
                f"source {pattern!r} leaves out nothing, since no source of {database.path} matches"
                f" {pattern[len(NOT) :]!r}; correct it, or drop it"
            )
    fitting = (set(database.known_paths) if only_left_out else meant) - left_out
    return np.array([source.path in fitting for source in database.sources], bool)


def _matching(database: Database, pattern: str) -> set[str]:
    """Return the paths that one pattern means.

    Of several databases, a pattern that names none means the sources of all.
    """
    paths = database.known_paths
    if not database.names or pattern.partition(SEPARATOR)[0] in database.names:
        return fitting_sources(paths, pattern)
    own = {path: path.partition(SEPARATOR)[2] for path in paths}
    found = fitting_sources(own.values(), pattern)
    return {path for path in paths if own[path] in found}


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
    known = listed((*UNIT_COLUMNS, *settings.names))
    raise ParameterError(f"no descriptor {column!r} in {database.path}; there are {known}")
