"""Units of one passage sound alike: of a list, which ones are of a passage that is not in it yet."""

from collections.abc import Iterable, Sequence

from db.database import Database

NEARBY_SECONDS = 0.2  # in the same source: the same passage


def new_passages(
    positions: Sequence[int], database: Database, known: Iterable[int] = ()
) -> list[bool]:
    """Of units at positions in `database.units`, whether each is far from those in `known`, and
    from the new ones before it.
    """
    units = database.units
    nearby = NEARBY_SECONDS * database.sample_rate
    heard: dict[int, list[int]] = {}  # where the passages begin, by source
    for position in known:
        heard.setdefault(int(units.source[position]), []).append(int(units.start_sample[position]))
    are_new = []
    for position in positions:
        starts = heard.setdefault(int(units.source[position]), [])
        start = int(units.start_sample[position])
        are_new.append(all(abs(start - other) > nearby for other in starts))
        if are_new[-1]:
            starts.append(start)
    return are_new
