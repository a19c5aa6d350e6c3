"""The descriptors for which a plan's units were chosen, kept so that units can be chosen again."""

import base64
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from files.errors import PlanError
from files.ranges import shown

VALUE = np.dtype("<f4")
REMEDY = "make the plan again, or leave targets out"


@dataclass(frozen=True)
class Targets:
    """Raw descriptors, one row per step of the search: little-endian float32 in C order.

    Raises
    ------
    PlanError
        If they are not whole rows of `n_descriptors`, or not finite.
    """

    n_descriptors: int
    data: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if type(self.n_descriptors) is not int or self.n_descriptors < 1:
            raise PlanError(
                f'"targets": n_descriptors={shown(self.n_descriptors)} must be an integer of at'
                " least 1"
            )
        if not self.data or len(self.data) % (VALUE.itemsize * self.n_descriptors):
            raise PlanError(
                f'"targets": {len(self.data)} bytes must be one or more rows of'
                f" {self.n_descriptors} float32 values; {REMEDY} of it and its steps"
            )
        bad_rows = np.flatnonzero(~np.isfinite(self.rows).all(axis=1))
        if len(bad_rows):
            raise PlanError(f'"targets": row {bad_rows[0]} must be finite; {REMEDY}')

    @property
    def rows(self) -> np.ndarray:
        """The descriptors, float32, (steps, n_descriptors), as a read-only view."""
        return np.frombuffer(self.data, VALUE).reshape(-1, self.n_descriptors)

    @classmethod
    def of(cls, sequence: np.ndarray) -> Self:
        """Return the targets of a sequence, (steps, n_descriptors)."""
        if sequence.ndim != 2:
            raise PlanError(
                f'"targets" of shape {sequence.shape} must be a sequence, (steps, n_descriptors)'
            )
        return cls(sequence.shape[1], np.ascontiguousarray(sequence, VALUE).tobytes())

    def to_dict(self) -> dict[str, Any]:
        """Return the targets as a plan file holds them."""
        return {
            "n_descriptors": self.n_descriptors,
            "float32": base64.b64encode(self.data).decode(),
        }
