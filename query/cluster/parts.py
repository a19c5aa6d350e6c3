"""Work on all units of a corpus where they are: here, or in its shards."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from db.database import Database
from query.cluster.corpus import Part
from query.cluster.paged import PagedDatabase


def on_each_part(database: Database, function: Callable, *arguments: Any) -> list[Any]:
    """Return what a function of a module returns for each `Part`, in the order of positions.

    Parameters
    ----------
    function : callable
        Called with the part and the arguments; all can be pickled.
    """
    return on_parts(database, function, [arguments] * n_parts(database))


def on_parts(
    database: Database, function: Callable, arguments: Sequence[tuple[Any, ...]]
) -> list[Any]:
    """Return the same as `on_each_part`, given the arguments for each part."""
    if not isinstance(database, PagedDatabase):
        return [function(Part(database), *arguments[0])]
    pages = database.pages
    wanted: Mapping[int, tuple] = {i: (function, *values) for i, values in enumerate(arguments)}
    found = pages.shards.call("apply", wanted)
    return [found[number] for number in sorted(found)]


def n_parts(database: Database) -> int:
    return len(database.pages.corpus.shards) if isinstance(database, PagedDatabase) else 1


def by_part(database: Database, positions: np.ndarray) -> list[np.ndarray]:
    """Return which of the units are in each part, as positions in it, int64, (n,) each."""
    if not isinstance(database, PagedDatabase):
        return [positions]
    firsts = np.array([one.first_position for one in database.pages.corpus.shards], np.int64)
    part = np.searchsorted(firsts, positions, side="right") - 1
    return [positions[part == number] - first for number, first in enumerate(firsts)]
