"""Which steps an edit changed: literal plans with literal answers, and any two plans."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from demiurge.web.timeline.changed_steps import ChangedSteps, find_changed_steps
from playback.plan import Plan
from playback.steps import Step


def plan_of(units: list[int], lengths: list[int] | None = None) -> Plan:
    """Steps of 100 samples one after another, or of other lengths."""
    steps = []
    at = 0
    for unit, n_samples in zip(units, lengths or [100] * len(units), strict=True):
        steps.append(Step(unit, "a.wav", 100 * unit, n_samples, at))
        at += n_samples
    return Plan(44100, 1, {"id": "x", "root": "/"}, tuple(steps))


def test_another_unit_changes_its_step_and_the_one_after():
    old = plan_of([1, 2, 3, 4, 5])
    assert find_changed_steps(old, plan_of([1, 2, 9, 4, 5])) == ChangedSteps(2, 4, 4, 0)


def test_repeated_and_removed_steps_move_the_rest():
    old = plan_of([1, 2, 3, 4, 5])
    assert find_changed_steps(old, plan_of([1, 2, 2, 3, 4, 5])) == ChangedSteps(2, 3, 4, 100)
    assert find_changed_steps(old, plan_of([1, 4, 5])) == ChangedSteps(1, 4, 2, -200)


def test_the_same_plan_has_no_changed_steps():
    old = plan_of([1, 2, 3])
    assert find_changed_steps(old, old) == ChangedSteps(3, 3, 3, 0)
    assert find_changed_steps(old, plan_of([1, 2, 3])) == ChangedSteps(3, 3, 3, 0)


def test_alternatives_are_no_change():
    old = plan_of([1, 2, 3])
    steps = tuple(replace(step, alternatives=({"unit": 7, "distance": 1.0},)) for step in old.steps)
    assert find_changed_steps(old, replace(old, steps=steps)) == ChangedSteps(3, 3, 3, 0)


units = st.lists(st.tuples(st.integers(0, 2), st.integers(1, 2)), min_size=1, max_size=8)


@given(old=units, new=units)
def test_the_new_plan_is_the_old_one_with_what_changed(old, new):
    before, after = (plan_of(*map(list, zip(*steps, strict=True))) for steps in (old, new))
    found = find_changed_steps(before, after)
    moved = [
        replace(step, at_sample=step.at_sample + found.shift) for step in before.steps[found.stop :]
    ]
    made = [*before.steps[: found.start], *after.steps[found.start : found.new_stop], *moved]
    assert tuple(made) == after.steps
    assert 0 <= found.start <= found.stop <= len(before.steps)
