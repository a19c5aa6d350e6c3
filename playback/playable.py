"""Find the steps of a plan that can be played: their source is usable and long enough."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from playback.plan import Plan


def playable_numbers(plan: Plan, lengths: Mapping[str, int]) -> list[int]:
    """Return the numbers of the steps that can be played.

    Parameters
    ----------
    lengths : mapping
        Length in samples, at the plan's rate, of each source that can be played.
    """
    return [
        number
        for number, step in enumerate(plan.steps)
        if step.source in lengths and step.fits_in(lengths[step.source])
    ]


def keep_steps(plan: Plan, numbers: Sequence[int]) -> Plan:
    """Return the plan with only these steps, of which there must be one, and the same length."""
    kept = replace(plan, steps=tuple(plan.steps[number] for number in numbers), tail_samples=0)
    return replace(kept, tail_samples=plan.n_samples - kept.n_samples)
