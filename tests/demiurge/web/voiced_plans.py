"""A plan of three voices, made of one of one voice."""

from dataclasses import replace

from playback.plan import Plan
from playback.playable import keep_steps

SECOND = range(5, 25)  # steps of the first voice that the second plays as well, 6 dB softer


def with_voices(plan: Plan) -> Plan:
    """Return the plan with two more voices, each with rests; `plan` has 30 steps or more."""
    second = [replace(plan.steps[n], voice=1, gain_db=-6.0) for n in SECOND]
    backwards = [replace(step, voice=2, reverse=True) for step in plan.steps[::3]]
    voiced = replace(plan, steps=(*plan.steps, *second, *backwards), tail_samples=0)
    return replace(voiced, tail_samples=plan.n_samples - voiced.n_samples)


def only(plan: Plan, *voices: int) -> Plan:
    """Return the plan of some of the voices, equally long."""
    return keep_steps(plan, [n for n, step in enumerate(plan.steps) if step.voice in voices])
