"""What a choice of the next unit is made from, and what comes out."""

from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np

from query.options import PathOptions
from query.rules import REST


@dataclass(frozen=True)
class Wishes:
    """What is wanted of the next unit, beside its target.

    Attributes
    ----------
    n_samples : int
        How long it will be played at most; with whole units as long as it is, if that is less.
    options : PathOptions
        Of these `continuity`, `novelty`, `min_reuse`, `max_run`, `temperature` and `random_seed`.
    allowed : ndarray, bool, shape (n_units,), optional
        What the filters leave; everything if omitted.
    leave : bool
        Whether the unit must not go on in the source of the one before, nor begin near its place.
    stay : tuple of int, optional
        Only units of these positions, first and last, may be played: those of a frozen moment.
    pitch_classes : frozenset of int
        Pitch classes, 0 (C) to 11, that units should have; all are as good if empty.
    chroma : ndarray, float32, shape (12,), optional
        Of what sounds beside; units should agree with it.
    part : int, optional
        The part of a beat at which the unit will begin, of units that are parts of beats.
    tempo : float
        Beats per minute that it goes with; 0 if it goes with no pulse.
    apart : tuple of int
        What other voices play just now: positions whose surroundings are not played.
    least_samples : int, optional
        How long its source must last, if not for all of `n_samples`.
    """

    n_samples: int
    options: PathOptions = field(default_factory=PathOptions)
    allowed: np.ndarray | None = None
    leave: bool = False
    stay: tuple[int, int] | None = None
    pitch_classes: frozenset[int] = frozenset()
    chroma: np.ndarray | None = None
    part: int | None = None
    tempo: float = 0.0
    apart: tuple[int, ...] = ()
    least_samples: int | None = None

    @property
    def goes_along(self) -> bool:
        """Whether pitch classes, other sounds or a tempo are to be gone with."""
        return bool(self.pitch_classes) or self.chroma is not None or self.tempo > 0

    def without_rules(self) -> Self:
        """Return these without what depends on what was played; filters still hold."""
        options = replace(self.options, min_reuse=0.0, max_run=np.inf)
        return replace(self, options=options, leave=False, apart=())


@dataclass(frozen=True)
class Choice:
    """A unit to be played next.

    Attributes
    ----------
    position : int
        In `Database.units`; `REST` if nothing may be played.
    distance, join : float
        Its target cost and its join cost.
    """

    position: int
    distance: float = 0.0
    join: float = 0.0


NOTHING = Choice(REST)
