"""Steps that must play a given unit, or rest: checked before the search."""

from collections.abc import Mapping

import numpy as np

from db.database import Units
from files.errors import ParameterError
from query.rules import REST


def find_units(units: Units, ids: np.ndarray) -> np.ndarray:
    """Positions in `units` of unit ids, int64, same shape; -1 where there is no such unit."""
    if not len(units):
        return np.full(np.shape(ids), -1)
    positions = np.minimum(np.searchsorted(units.ids, ids), len(units) - 1)
    return np.where(units.ids[positions] == ids, positions, -1)


def locate_locked(
    units: Units, locked: Mapping[int, int], step_samples: np.ndarray, *, whole_units: bool
) -> dict[int, int]:
    """The position in `units` that each locked step plays, or `REST`, ascending by step; arguments
    as `find_paths`.

    Raises
    ------
    ParameterError
        If there is no such step or unit, or the unit's source is over before the step is.
    """
    found = {}
    for step, unit in sorted(locked.items()):
        if not 0 <= step < len(step_samples):
            raise ParameterError(
                f"step {step} cannot be locked: the sequence has steps 0 to {len(step_samples) - 1}"
            )
        found[step] = REST if unit == REST else int(find_units(units, np.array(unit)))
        if unit == REST:
            continue
        if found[step] < 0:
            raise ParameterError(
                f"step {step}: there is no unit {unit} to lock; ids are {units.ids[0]} to"
                f" {units.ids[-1]}"
            )
        if (room := int(units.room[found[step]])) < step_samples[step] and not whole_units:
            raise ParameterError(
                f"step {step}: unit {unit} cannot be locked: its source is over after {room}"
                f" samples and the step lasts {step_samples[step]}; lock another unit, or make the"
                " step shorter"
            )
    return found
