"""The part of a plan that can be played: steps whose source is usable and long enough."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from playback.plan import Plan


def playable_numbers(plan: Plan, lengths: Mapping[str, int]) -> list[int]:
    """Return the numbers of the steps that can be played.

    Parameters
    ----------
    lengths : mapping
        Samples of each source that can be played, at the plan's rate; others are left out.
    """
    return [
        number
        for number, step in enumerate(plan.steps)
        if step.end_sample <= lengths.get(step.source, -1)
    ]


def keep_steps(plan: Plan, numbers: Sequence[int]) -> Plan:
    """Return the plan with these steps only, as long as before; there must be at least one."""
    steps = tuple(plan.steps[number] for number in numbers)
    return replace(plan, steps=steps, tail_samples=plan.n_samples - steps[-1].until_sample)
