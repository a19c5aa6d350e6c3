"""The spectra that a plan's voices were fitted to, kept so that units can be chosen again."""

import base64
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from audio.read import MAX_SAMPLES
from files.errors import PlanError
from files.ranges import shown

VALUE = np.dtype("<f2")
LENGTH = np.dtype("<u4")
MOST_BANDS = 1 << 12
LEAST_EXPONENT = -160  # 2 to the power of it is less than any float32
MOST_EXPONENT = 100
HIGHEST = float(np.finfo(VALUE).max)
FULL = 15  # values are stored below 2 to the power of it, so that quiet ones keep their precision
REMEDY = "make the plan again, or leave spectra out"


@dataclass(frozen=True)
class Spectra:
    """Spectra and pitches, one row per step of the search, and how long each lasts.

    Attributes
    ----------
    n_bands : int
    exponent : int
        Magnitudes are stored times 2 to the power of minus the exponent.
    data : bytes
        Little-endian float16 in C order, (steps, n_bands + 1): magnitudes in bands and, last, the
        pitch in Hz, 0 without one.
    lengths : bytes
        Little-endian uint32, (steps,): samples.

    Raises
    ------
    PlanError
        If they do not fit each other, or a value is not finite, below 0, or of a step of no length.
    """

    n_bands: int
    exponent: int
    data: bytes = field(repr=False)
    lengths: bytes = field(repr=False)

    def __post_init__(self) -> None:
        _check_integer("n_bands", self.n_bands, 1, MOST_BANDS)
        _check_integer("exponent", self.exponent, LEAST_EXPONENT, MOST_EXPONENT)
        row_bytes = VALUE.itemsize * (self.n_bands + 1)
        if not self.data or len(self.data) % row_bytes:
            raise PlanError(
                f'"spectra": {len(self.data)} bytes must be one or more rows of {self.n_bands} + 1'
                f" float16 values; {REMEDY}"
            )
        n_rows = len(self.data) // row_bytes
        if len(self.lengths) != LENGTH.itemsize * n_rows:
            raise PlanError(
                f'"spectra": n_samples holds {len(self.lengths)} bytes, but {n_rows} rows need as'
                f" many uint32 values, {LENGTH.itemsize * n_rows} bytes; {REMEDY}"
            )
        stored = self._stored
        bad_rows = np.flatnonzero(~((stored >= 0) & (stored <= HIGHEST)).all(axis=1))
        if len(bad_rows):
            raise PlanError(f'"spectra": row {bad_rows[0]} must be finite, 0 at least; {REMEDY}')
        if not self.n_samples.all() or self.n_samples.sum() > MAX_SAMPLES:
            raise PlanError(
                f'"spectra": n_samples must be above 0, and at most {MAX_SAMPLES} in all; {REMEDY}'
            )

    @property
    def _stored(self) -> np.ndarray:
        return np.frombuffer(self.data, VALUE).reshape(-1, self.n_bands + 1)

    @property
    def n_rows(self) -> int:
        return len(self.lengths) // LENGTH.itemsize

    @property
    def rows(self) -> np.ndarray:
        """The magnitudes, float32, (steps, n_bands)."""
        return np.ldexp(self._stored[:, :-1].astype(np.float32), self.exponent)

    @property
    def f0(self) -> np.ndarray:
        """The pitches in Hz, float32, (steps,); 0 where there is none."""
        return self._stored[:, -1].astype(np.float32)

    @property
    def n_samples(self) -> np.ndarray:
        """The lengths, int64, (steps,)."""
        return np.frombuffer(self.lengths, LENGTH).astype(np.int64)

    @classmethod
    def of(cls, rows: np.ndarray, f0: np.ndarray, n_samples: np.ndarray) -> Self:
        """Return what is kept of spectra (steps, n_bands), pitches (steps,) and lengths (steps,).

        What was kept before is kept unchanged.
        """
        mantissa, exponent = np.frexp(rows.max(initial=0))
        exponent += np.frexp(mantissa.astype(VALUE))[1] - FULL  # rounding may make it 1
        exponent = int(np.clip(exponent, LEAST_EXPONENT, MOST_EXPONENT))
        scaled = np.minimum(np.ldexp(rows.astype(np.float32), -exponent), HIGHEST)
        stored = np.concatenate([scaled, f0[:, None]], axis=1).astype(VALUE)
        return cls(rows.shape[1], exponent, stored.tobytes(), n_samples.astype(LENGTH).tobytes())

    def to_dict(self) -> dict[str, Any]:
        """Return the spectra as a plan file holds them."""
        return {
            "n_bands": self.n_bands,
            "exponent": self.exponent,
            "float16": base64.b64encode(self.data).decode(),
            "n_samples": base64.b64encode(self.lengths).decode(),
        }


def _check_integer(name: str, value: int, least: int, most: int) -> None:
    if type(value) is not int or not least <= value <= most:
        raise PlanError(
            f'"spectra": {name}={shown(value)} must be an integer from {least} to {most}'
        )
