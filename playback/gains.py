"""The gains of the two sides of a crossfade; see `playback.crossfade` for the idea."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Self

import numpy as np

Curve = Callable[[np.ndarray], np.ndarray]


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

    def rows(self, numbers: Sequence[int] | np.ndarray) -> Self:
        """Return some of the crossfades as a batch of their own."""
        return type(self)(*(getattr(self, f.name)[numbers] for f in fields(self)))

    @property
    def extent(self) -> int:
        """Number of samples on either side of the joins within which all crossfades lie."""
        return int(max(self.left.max(initial=0), self.right.max(initial=0)))


def gains(overlaps: Overlaps, extent: int, fade: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the gains of the outgoing and the incoming side around the joins.

    Both are float32 of shape (joins, 2 * extent). They are exactly 1 and 0 before the crossfade,
    and 0 and 1 after it.
    """
    falls: Curve = _fall if fade == "linear" else _sine_fall
    rises: Curve = _rise if fade == "linear" else _sine_rise
    falling = fade_curve(overlaps.out_start, overlaps.out_length, extent, falls)
    rising = fade_curve(overlaps.in_start, overlaps.in_length, extent, rises)
    if fade != "linear" and overlaps.likeness.any():
        power = _kept_power(overlaps, extent)
        falling *= power
        rising *= power
    if overlaps.step_db.any():
        out_level, in_level = level_ramps(overlaps, extent)
        falling *= out_level
        rising *= in_level
    return falling, rising


def _rise(x: np.ndarray) -> np.ndarray:
    return x


def _fall(x: np.ndarray) -> np.ndarray:
    return 1 - x


def _sine_rise(x: np.ndarray) -> np.ndarray:
    return np.sin(np.float32(np.pi / 2) * x)


def _sine_fall(x: np.ndarray) -> np.ndarray:
    return np.sin(np.float32(np.pi / 2) * (1 - x))


def _kept_power(overlaps: Overlaps, extent: int) -> np.ndarray:
    """Return the gain of both sides by which their sum keeps its power, given their likeness."""
    power = fade_curve(overlaps.in_start, overlaps.in_length, extent, sine)
    power *= overlaps.likeness.astype(np.float32)[:, None]
    power += 1
    return 1 / np.sqrt(power)


def sine(x: np.ndarray) -> np.ndarray:
    """Return half a wave over a fade: 0 at both ends, 1 in its middle."""
    return np.sin(np.float32(np.pi) * x)


def level_ramps(overlaps: Overlaps, extent: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the gains that match the levels of the two sides around the joins.

    Both are float32 of shape (joins, 2 * extent).
    """
    middle = overlaps.in_start + overlaps.in_length / 2
    nepers = (np.log(10) / 40 * overlaps.step_db).astype(np.float32)[:, None]  # half of the step
    rise = fade_curve(-overlaps.left, middle + overlaps.left, extent, _smooth)
    fall = fade_curve(middle, overlaps.right - middle, extent, _smooth_fall)
    return np.exp(nepers * rise), np.exp(-nepers * fall)


def _smooth(x: np.ndarray) -> np.ndarray:
    return x * x * (3 - 2 * x)


def _smooth_fall(x: np.ndarray) -> np.ndarray:
    return _smooth(1 - x)


def fade_curve(start: np.ndarray, length: np.ndarray, extent: int, curve: Curve) -> np.ndarray:
    """Return a function of x around the joins; x is 0 before the fade, 1 after it.

    The result is float32 of shape (joins, 2 * extent). Many joins have the same fade, which is
    computed once.
    """
    # a fade as one complex number, since np.unique sorts pairs far more slowly
    fades, rows = np.unique(start + 1j * length, return_inverse=True)
    slope = 1 / np.maximum(fades.imag, 1e-3)
    x = np.arange(-extent, extent, dtype=np.float32) * slope.astype(np.float32)[:, None]
    x += ((0.5 - fades.real) * slope).astype(np.float32)[:, None]
    return curve(np.clip(x, 0, 1, out=x))[rows]
