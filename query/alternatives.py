"""Alternatives for one step: units near its target, and how they join with their neighbours."""

from dataclasses import dataclass

import numpy as np

from query.index import UnitIndex
from query.rules import REST
from query.space import Space


@dataclass(frozen=True)
class Alternative:
    """A unit that could be played at a step.

    Attributes
    ----------
    position : int
        Position of the unit in `Database.units`.
    distance : float
        Distance from the step's target.
    join, join_next : float
        Join costs from the unit before and to the unit after; 0 next to a rest or an edge.
    too_short : bool
        True if its source ends before the step does.
    """

    position: int
    distance: float
    join: float
    join_next: float
    too_short: bool


@dataclass(frozen=True)
class Place:
    """A step of a path: its length and its neighbours.

    Attributes
    ----------
    n_samples : int > 0
        Length of the step.
    before : int
        Position of the unit that is played before it, or `REST`.
    before_samples : int
        Length for which that unit is played.
    after : int
        Position of the unit that is played next, or `REST`.
    """

    n_samples: int
    before: int = REST
    before_samples: int = 0
    after: int = REST


def find_alternatives(
    index: UnitIndex, target: np.ndarray, place: Place, *, k: int
) -> list[Alternative]:
    """Return the k units nearest to a target, nearest first; all units if there are fewer.

    Parameters
    ----------
    target : ndarray, float32, shape (n_descriptors,), raw

    Raises
    ------
    ParameterError
        As `UnitIndex.search`.
    """
    matches = index.search(np.asarray(target)[None], k=min(k, len(index)))
    return measure_units(index.space, target, matches.positions[0], place)


def measure_units(
    space: Space, target: np.ndarray, positions: np.ndarray, place: Place
) -> list[Alternative]:
    """Return the costs of units at a step, in the order of `positions`."""
    target_vector = space.sequence_vectors(np.asarray(target)[None])
    distances = space.target_costs(positions, space.unit_vectors(positions), target_vector)
    return with_joins(space, positions, distances, place)


def with_joins(
    space: Space, positions: np.ndarray, distances: np.ndarray, place: Place
) -> list[Alternative]:
    """Return units whose distances are known, with their other costs at a step."""
    before = np.array([place.before])
    before_samples = np.array([place.before_samples])
    after = np.full((len(positions), 1), place.after)
    n_samples = np.full(len(positions), place.n_samples)
    joins = space.joins.to_each(before, before_samples, positions[None])[0]
    joins_next = space.joins.to_each(positions, n_samples, after)[:, 0]
    too_short = space.database.units.samples_left[positions] < n_samples
    columns = (positions, distances, joins, joins_next, too_short)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return [Alternative(*row) for row in rows]
