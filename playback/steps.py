"""A step of a plan: one unit and when it is played."""

from dataclasses import dataclass, fields
from typing import Any

NO_UNIT = -1  # of a step written by hand
NO_TARGET = -1  # of a step that nothing was searched for


@dataclass(frozen=True, slots=True)
class Step:
    """One unit and when it is played.

    Positions and lengths are integer samples at the plan's sample rate.

    `source` is relative to the corpus root. `at_sample` is the position in the output, where the
    unit lasts `n_samples`. `gain_db`, `reverse`, `transpose` (semitones) and `stretch` (2: twice as
    slow, so that half as much of the source is played) say how; by default it is left as it is.

    The rest says why the unit was chosen, and playback ignores it: `unit` (-1: by hand), its
    distance from what was searched for (`distance`) and from what would have followed the step
    before in its source (`join`), the row of the plan's targets that was searched for (`target`;
    -1: none), whether it stays when the rest is chosen again (`locked`), and `alternatives`: units
    that fit nearly as well, each with "unit", "distance", "join", "source", "start_sample" and, if
    a rule forbids it here, "removed".
    """

    unit: int
    source: str
    start_sample: int
    n_samples: int
    at_sample: int
    gain_db: float = 0.0
    reverse: bool = False
    transpose: float = 0.0
    stretch: float = 1.0
    distance: float = 0.0
    join: float = 0.0
    target: int = NO_TARGET
    locked: bool = False
    alternatives: tuple[dict[str, Any], ...] = ()

    @property
    def end_sample(self) -> int:
        """End in the source."""
        if self.stretch == 1:
            return self.start_sample + self.n_samples
        return self.start_sample + max(1, round(self.n_samples / self.stretch))

    @property
    def until_sample(self) -> int:
        """End in the output."""
        return self.at_sample + self.n_samples

    @property
    def is_transformed(self) -> bool:
        """Whether it sounds otherwise than in its source; gain does not count."""
        return self.reverse or self.transpose != 0 or self.stretch != 1

    @property
    def is_resampled(self) -> bool:
        """Whether it must be made whole before any of it can be played."""
        return self.transpose != 0 or self.stretch != 1

    def to_dict(self) -> dict[str, Any]:
        """Return the step as a plan file holds it."""
        return {key: getattr(self, key) for key in STEP_KEYS}


STEP_KEYS = tuple(f.name for f in fields(Step))
