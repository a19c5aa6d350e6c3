"""How long before a step begins it must be known, and crossfades for steps that are known late."""

from dataclasses import replace

from playback.options import DEFAULT_CROSSFADE, CrossfadeOptions
from playback.runs import ZONE_GRID, longest_half


def lead_samples(crossfade: CrossfadeOptions, sample_rate: int) -> int:
    """Return how long before a step begins it must be known at most, in samples.

    Beside steps that are shorter than twice of this, it may be longer by such a step.
    """
    longest_tail = crossfade.reach_samples(sample_rate) + ZONE_GRID - 1
    return max(longest_tail, longest_half(sample_rate))


def live_crossfade(step_samples: int, sample_rate: int) -> CrossfadeOptions:
    """Return the default crossfade, shortened for steps that are known late.

    A run of one step of `step_samples` has its final crossfade at once, and the step after it need
    not be known earlier than half a step before it begins.
    """
    default = DEFAULT_CROSSFADE
    reach = max(0, step_samples // 2 - ZONE_GRID)
    if default.reach_samples(sample_rate) <= reach:
        return default
    moved = min(round(default.align_ms * sample_rate / 1000), reach // 2)
    return replace(
        default,
        crossfade_ms=2000 * (reach - moved) / sample_rate,
        align_ms=1000 * moved / sample_rate,
    )
