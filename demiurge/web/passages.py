"""Passages: units that lie close together in one source, and so sound alike."""

from collections.abc import Iterable, Sequence

from db.database import Database

NEARBY_SECONDS = 0.2  # units of one source that begin within this time form a passage


def new_passages(
    positions: Sequence[int], database: Database, known: Iterable[int] = ()
) -> list[bool]:
    """Return for each unit whether it is the first of its passage in the list.

    Units of the passages of `known` are never first. Both lists hold positions in `Database.units`.
    """
    units = database.units
    nearby = NEARBY_SECONDS * database.sample_rate
    starts_by_source: dict[int, list[int]] = {}

    def is_new(position: int) -> bool:
        starts = starts_by_source.setdefault(int(units.source[position]), [])
        start = int(units.start_sample[position])
        return all(abs(start - other) > nearby for other in starts)

    def add(position: int) -> None:
        starts = starts_by_source.setdefault(int(units.source[position]), [])
        starts.append(int(units.start_sample[position]))

    for position in known:
        add(position)
    found = []
    for position in positions:
        found.append(is_new(position))
        if found[-1]:
            add(position)
    return found
