"""What else could be played at one step: its nearest units, and how each would join with what is
played around it.
"""

from dataclasses import dataclass

import numpy as np

from files.errors import ParameterError
from query.index import UnitIndex
from query.joins import JoinCosts
from query.locked_steps import find_units
from query.rules import REST


@dataclass(frozen=True)
class Alternative:
    """A unit for a step: how far from its target, how it goes on from what is before and into what
    is next (0 beside a rest or an edge), and whether its source is over before the step is."""

    unit: int
    distance: float
    join: float
    join_next: float
    too_short: bool


def find_alternatives(
    index: UnitIndex,
    target: np.ndarray,
    *,
    k: int,
    before: tuple[int, int] | None,
    after: int | None,
    n_samples: int,
) -> list[Alternative]:
    """The k units nearest to a target, or all that can be found if there are fewer, nearest first.

    Parameters
    ----------
    target : ndarray, float32, shape (n_descriptors,), raw
    before : (unit id, samples), optional
        What is played before the step, and for how long; None: a rest, or the step is the first.
    after : int, optional
        Id of the unit that is played next; None: a rest, or the step is the last.
    n_samples : int > 0
        How long the step lasts.

    Raises
    ------
    ParameterError
        As `UnitIndex.search`; or if there is no such unit.
    """
    matches = index.search(np.asarray(target)[None], k=min(k, len(index)))
    return measure_units(
        index, target, matches.units[0], before=before, after=after, n_samples=n_samples
    )


def measure_units(
    index: UnitIndex,
    target: np.ndarray,
    unit_ids: np.ndarray,
    *,
    before: tuple[int, int] | None,
    after: int | None,
    n_samples: int,
) -> list[Alternative]:
    """What given units, int64, shape (n,), would cost at a step, in their order; the rest as
    `find_alternatives`.
    """
    units = index.database.units
    found = index.positions(unit_ids)
    joins = JoinCosts(index)
    unit_before, lasted = before or (REST, 0)
    ends = [_position(index, REST if unit is None else unit) for unit in (unit_before, after)]
    distances = index.metric.of_differences(
        index.scores(found) - index.normalise(np.asarray(target)[None])
    )
    join = joins.to_each(np.array(ends[:1]), np.array([lasted]), found[None])[0]
    join_next = joins.to_each(
        found, np.full(len(found), n_samples), np.full((len(found), 1), ends[1])
    )[:, 0]
    facts = unit_ids, distances, join, join_next, units.room[found] < n_samples
    return [
        Alternative(*of_unit)
        for of_unit in zip(*(column.tolist() for column in facts), strict=True)
    ]


def _position(index: UnitIndex, unit: int) -> int:
    position = REST if unit == REST else int(find_units(index.database.units, np.array(unit)))
    if position == REST and unit != REST:
        raise ParameterError(
            f"there is no unit {unit} in the database; name one that is, or None for a rest"
        )
    return position
