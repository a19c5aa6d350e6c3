"""A step of a plan: one unit and the time at which it is played."""

import math
from dataclasses import dataclass, fields
from pathlib import PurePosixPath
from typing import Any

NO_UNIT = -1  # of a step that plays no unit of the database
NO_TARGET = -1  # of a step that nothing was searched for
MOST_VOICES = 16


@dataclass(frozen=True, slots=True)
class Step:
    """One unit and the time at which it is played.

    Positions and lengths are integer samples at the plan's sample rate.

    `source` is relative to the corpus root, or absolute if it `lies_outside`. `at_sample` is the
    position in the output, where the unit lasts `n_samples`. `gain_db`, `reverse`, `transpose`
    (semitones) and `stretch` (2 is twice as slow, so that half as much of the source is played)
    change the sound; by default nothing does. `voice`, from 0, is the voice that plays it: the
    steps of one voice follow each other, and voices sound at once. A step with `ramp` goes on in
    its source from the step before, and the gain glides from one to the other.

    The other fields say why the unit was chosen, and playback ignores them: `unit`, its id (-1 for
    a step written by hand, or one that plays the seed itself); `distance`, from its target; `join`,
    the distance from what would have followed the step before in its source; `target`, the row of
    the plan's targets (-1 for none); `locked`, True if it stays when other steps are chosen again;
    and `alternatives`, units that fit nearly as well, each with "unit", "distance", "join",
    "source", "start_sample" and, if a rule forbids it here, "removed".
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
    voice: int = 0
    ramp: bool = False
    distance: float = 0.0
    join: float = 0.0
    target: int = NO_TARGET
    locked: bool = False
    alternatives: tuple[dict[str, Any], ...] = ()

    @property
    def end_sample(self) -> int:
        """End of the step in the source."""
        if self.stretch == 1:
            return self.start_sample + self.n_samples
        return self.start_sample + max(1, round(self.n_samples / self.stretch))

    @property
    def rounding(self) -> int:
        """Number of samples by which `end_sample` may be off.

        The length of a stretched step is rounded to a sample of the output, which is 1 / stretch
        samples of the source.
        """
        return 0 if self.stretch == 1 else math.ceil(1 / self.stretch)

    def fits_in(self, n_samples: int) -> bool:
        """Return whether a source of this length is long enough."""
        return self.end_sample - self.rounding <= n_samples

    @property
    def until_sample(self) -> int:
        """End of the step in the output."""
        return self.at_sample + self.n_samples

    @property
    def is_transformed(self) -> bool:
        """True if it is reversed, transposed or stretched; gain does not count."""
        return self.reverse or self.transpose != 0 or self.stretch != 1

    @property
    def is_resampled(self) -> bool:
        """True if it must be made as a whole before any of it can be played."""
        return self.transpose != 0 or self.stretch != 1

    @property
    def is_of_voices(self) -> bool:
        """True if a plan of one voice cannot hold it, or its gain glides."""
        return self.voice > 0 or self.ramp

    def to_dict(self, *, voices: bool = False) -> dict[str, Any]:
        """Return the step as a plan file holds it; `voice` and `ramp` only with `voices`."""
        keys = STEP_KEYS if voices else STEP_KEYS_OF_ONE_VOICE
        return {key: getattr(self, key) for key in keys}


def lies_outside(source: str) -> bool:
    """Return whether a source is outside of the corpus folder, named by its absolute path.

    It is played only if it has the hash that the plan gives: nobody can make a plan that plays a
    file whose content they do not know.
    """
    return PurePosixPath(source).is_absolute()


STEP_KEYS = tuple(f.name for f in fields(Step))
VOICE_KEYS = ("voice", "ramp")
STEP_KEYS_OF_ONE_VOICE = tuple(key for key in STEP_KEYS if key not in VOICE_KEYS)
