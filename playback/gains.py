"""The gains of the two sides of a crossfade; see `playback.crossfade` for the idea."""

from dataclasses import dataclass, fields
from typing import Self

import numpy as np


@dataclass(frozen=True)
class Overlaps:
    """The crossfades of a batch; arrays of shape (joins,), samples counted from the join.

    The outgoing side fades out from `out_start` for `out_length` samples, and the incoming side
    fades in from `in_start` for `in_length`; in an overlap these are the same. A length of 0 is a
    cut. `likeness` is ρ, and `step_db` how much louder the incoming side is. Nothing changes before
    `-left` or from `right` on.
    """

    left: np.ndarray
    right: np.ndarray
    out_start: np.ndarray
    out_length: np.ndarray
    in_start: np.ndarray
    in_length: np.ndarray
    likeness: np.ndarray
    step_db: np.ndarray

    def row(self, number: int) -> Self:
        """Return one crossfade as a batch of its own."""
        return type(self)(*(getattr(self, f.name)[number : number + 1] for f in fields(self)))

    @property
    def extent(self) -> int:
        """Number of samples on either side of the joins within which all crossfades lie."""
        return int(max(self.left.max(initial=0), self.right.max(initial=0)))


def gains(overlaps: Overlaps, extent: int, fade: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the gains of the outgoing and the incoming side around the joins.

    Both are float32 of shape (joins, 2 * extent). They are exactly 1 and 0 before the crossfade,
    and 0 and 1 after it.
    """
    falling = 1 - fade_progress(overlaps.out_start, overlaps.out_length, extent)
    rising = fade_progress(overlaps.in_start, overlaps.in_length, extent)
    if fade != "linear":
        falling, rising = _keep_power(falling, rising, overlaps.likeness)
    if overlaps.step_db.any():
        out_level, in_level = level_ramps(overlaps, extent)
        falling = falling * out_level
        rising = rising * in_level
    return falling, rising


def _keep_power(
    falling: np.ndarray, rising: np.ndarray, likeness: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Turn linear fades into fades that keep the power, given the sounds' likeness."""
    falling = np.sin(np.float32(np.pi / 2) * falling)
    power = np.sin(np.float32(np.pi) * rising)
    power *= likeness.astype(np.float32)[:, None]
    power = 1 / np.sqrt(power + 1)
    falling = falling * power
    rising = np.sin(np.float32(np.pi / 2) * rising) * power
    return falling, rising


def level_ramps(overlaps: Overlaps, extent: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the gains that match the levels of the two sides around the joins.

    Both are float32 of shape (joins, 2 * extent).
    """
    middle = overlaps.in_start + overlaps.in_length / 2
    nepers = (np.log(10) / 40 * overlaps.step_db).astype(np.float32)[:, None]  # half of the step
    rise = fade_progress(-overlaps.left, middle + overlaps.left, extent)
    fall = 1 - fade_progress(middle, overlaps.right - middle, extent)
    return np.exp(nepers * _smooth(rise)), np.exp(-nepers * _smooth(fall))


def _smooth(x: np.ndarray) -> np.ndarray:
    return x * x * (3 - 2 * x)


def fade_progress(start: np.ndarray, length: np.ndarray, extent: int) -> np.ndarray:
    """Return x of every sample around the joins: 0 before the fade, 1 after it.

    The result is float32 of shape (joins, 2 * extent).
    """
    slope = 1 / np.maximum(length, 1e-3)
    x = np.arange(-extent, extent, dtype=np.float32) * slope.astype(np.float32)[:, None]
    x += ((0.5 - start) * slope).astype(np.float32)[:, None]
    return np.clip(x, 0, 1, out=x)
