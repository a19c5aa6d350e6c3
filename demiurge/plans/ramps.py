"""Ramps between the steps of a plan: only a step that goes on in its source may have one."""

from collections.abc import Sequence
from dataclasses import replace

from playback.runs import is_contiguous
from playback.steps import Step


def glide(steps: Sequence[Step]) -> tuple[Step, ...]:
    """Return steps with a ramp wherever the sound goes on from the step before, else none."""
    return settle_ramps([step if step.ramp else replace(step, ramp=True) for step in steps])


def settle_ramps(steps: Sequence[Step]) -> tuple[Step, ...]:
    """Return steps without the ramps of those that do not go on from the step before."""
    return tuple(
        replace(step, ramp=False)
        if step.ramp and not (before and is_contiguous(before, step))
        else step
        for before, step in zip((None, *steps), steps, strict=False)
    )
