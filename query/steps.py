"""The steps of a sequence: split into parts, or locked to a unit."""

from collections.abc import Mapping

import numpy as np

from db.unit_table import Units
from files.errors import ParameterError
from query.rules import REST


def split_steps(step_samples: np.ndarray, n_parts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Split steps into parts of nearly equal length; return each part's step and samples."""
    steps = np.repeat(np.arange(len(step_samples)), n_parts)
    part = np.arange(len(steps)) - np.repeat(np.cumsum(n_parts) - n_parts, n_parts)
    total = step_samples[steps]
    parts = n_parts[steps]
    return steps, (part + 1) * total // parts - part * total // parts


def check_locked(
    units: Units, locked: Mapping[int, int], step_samples: np.ndarray, *, whole_units: bool
) -> None:
    """Check that steps can play their locked units; arguments as `query.path.find_paths`.

    Raises
    ------
    ParameterError
        If there is no such step or unit, or the unit's source ends before the step does.
    """
    for step, position in sorted(locked.items()):
        if not 0 <= step < len(step_samples):
            raise ParameterError(
                f"step {step} cannot be locked: the sequence has steps 0 to {len(step_samples) - 1}"
            )
        if position == REST:
            continue
        if not 0 <= position < len(units):
            raise ParameterError(
                f"step {step}: there is no unit at position {position} to lock; positions are 0 to"
                f" {len(units) - 1}"
            )
        samples_left = int(units.samples_left[position])
        if samples_left < step_samples[step] and not whole_units:
            raise ParameterError(
                f"step {step}: unit {units.ids[position]} cannot be locked: its source ends"
                f" after {samples_left} samples and the step lasts {step_samples[step]}; lock"
                " another unit, or make the step shorter"
            )
