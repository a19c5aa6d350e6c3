"""What an edit changes, and that the rest of the sound can stay as it was, to the bit."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playback.diff import Change, find_change
from playback.options import CrossfadeOptions
from playback.plan import Step
from playback.stitch import stitch
from tests.playback.drawn_plans import (
    CROSSFADES,
    SOUND,
    drawn_plans,
    drawn_steps,
    drawn_voices,
    join_voices,
    lay_out,
)
from tests.playback.sounds import HOP, RATE, plan, played

OF_20_MS = CrossfadeOptions(20.0, align_ms=0.0)
REACH = 441  # samples to either side that such a crossfade changes


def frames(starts, source="loop_amen"):
    """A plan of units of one hop, from these hops of a source."""
    return plan([Step(i, source, start * HOP, HOP, i * HOP) for i, start in enumerate(starts)], 2)


def spliced(old, new, change, crossfade):
    """The new plan's sound out of the old one's and what is stitched anew."""
    before = played(old, SOUND[old.channels], crossfade=crossfade)
    made = stitch(
        new, SOUND[new.channels], crossfade=crossfade, start=change.start, stop=change.new_stop
    )
    return np.concatenate([before[: change.start], *made, before[change.old_stop :]])


@st.composite
def edited(draw, old):
    """The plan after one or two edits of the kinds that people make."""
    steps = list(old.steps)
    gaps = [
        step.at_sample - before
        for step, before in zip(steps, [0, *(s.until_sample for s in steps)], strict=False)
    ]
    tail = old.tail_samples
    for _ in range(draw(st.integers(1, 2))):
        at = draw(st.integers(0, len(steps) - 1))
        kind = draw(
            st.sampled_from(
                ["another", "remove", "repeat", "gain", "ramp", "rest", "split", "tail", "swap"]
            )
        )
        if kind == "another":
            steps[at] = draw(drawn_steps())
        elif kind == "remove" and len(steps) > 1:
            del steps[at], gaps[at]
        elif kind == "repeat":
            steps.insert(at, steps[at])
            gaps.insert(at + 1, 0)
        elif kind == "gain":
            steps[at] = replace(steps[at], gain_db=-3.0)
        elif kind == "ramp":
            how = {"gain_db": -6.0, "ramp": draw(st.booleans())}
            steps[at] = replace(steps[at], **how)
        elif kind == "rest":
            gaps[at] += 100
        elif kind == "tail":
            tail = 900
        elif kind == "swap":
            steps[0], steps[at] = steps[at], steps[0]
        elif steps[at].n_samples > 2 and not steps[at].is_transformed:
            cut = steps[at].n_samples // 3
            parts = (
                replace(steps[at], n_samples=cut),
                replace(steps[at], start_sample=steps[at].start_sample + cut),
            )
            steps[at : at + 1] = parts[0], replace(parts[1], n_samples=steps[at].n_samples - cut)
            gaps.insert(at + 1, 0)
    return lay_out(steps, gaps, tail, old.channels)


@st.composite
def edited_voices(draw, old):
    """The plan after edits of one or two of its voices, or with one more or less."""
    voices = []
    for voice in old.voices:
        steps = tuple(replace(old.steps[number], voice=0) for number in voice)
        alone = replace(old, steps=steps, tail_samples=0) if steps else None
        if alone and draw(st.sampled_from([False, False, False, True])):
            alone = draw(edited(alone))
        voices.append(alone)
    kind = draw(st.sampled_from(["edit", "edit", "edit", "fewer", "more"]))
    if kind == "fewer" and len(voices) > 1:
        del voices[draw(st.integers(0, len(voices) - 1))]
    elif kind == "more":
        voices.append(replace(draw(drawn_plans(3)), channels=old.channels))
    else:
        number = draw(st.sampled_from([n for n, voice in enumerate(voices) if voice]))
        voices[number] = draw(edited(voices[number]))
    steps = [replace(s, voice=n) for n, v in enumerate(voices) if v for s in v.steps]
    if not steps:
        return old
    new = replace(old, steps=tuple(steps), tail_samples=draw(st.sampled_from([0, 700])))
    if draw(st.booleans()):
        new = replace(new, tail_samples=max(old.n_samples - new.n_samples, 0))
    return new


def check_splice(old, new, crossfade):
    """The same samples; of one voice and of several a zero may have another sign."""
    change = find_change(old, new, crossfade)
    expected = played(new, SOUND[new.channels], crossfade=crossfade)
    if change is None:
        found = played(old, SOUND[old.channels], crossfade=crossfade)
    else:
        assert 0 <= change.start <= min(change.old_stop, change.new_stop)
        assert old.n_samples - change.old_stop == new.n_samples - change.new_stop >= 0
        found = spliced(old, new, change, crossfade)
    np.testing.assert_array_equal(found, expected)
    if (old.n_voices > 1) == (new.n_voices > 1):
        assert found.tobytes() == expected.tobytes()


@settings(deadline=None, max_examples=100)
@given(drawn_plans(), CROSSFADES, st.data())
def test_splicing_equals_stitching_anew(old, crossfade, data):
    check_splice(old, data.draw(edited(old)), crossfade)


@settings(deadline=None, max_examples=100)
@given(drawn_voices(), CROSSFADES, st.data())
def test_splicing_voices_equals_stitching_anew(old, crossfade, data):
    check_splice(old, data.draw(edited_voices(old)), crossfade)


@st.composite
def gliding_runs(draw):
    """A plan of two runs, the steps of the second one short, with gains that glide."""
    gains = draw(st.lists(st.floats(-20, 0), min_size=2, max_size=8))
    first = Step(0, "bd_haus", 3000, 4000, 0)
    steps = [first]
    for number, gain in enumerate(gains):
        n = draw(st.sampled_from([63, 400, 1024]))
        start = steps[-1].end_sample if number else 9000
        at = steps[-1].until_sample
        steps.append(Step(0, "loop_amen", start, n, at, gain_db=gain, ramp=number > 0))
    return plan([*steps, Step(0, "bd_haus", 9000, 4000, steps[-1].until_sample)], 2)


@settings(deadline=None, max_examples=100)
@given(gliding_runs(), CROSSFADES, st.data())
def test_crossfades_hear_ramps_some_way_off(old, crossfade, data):
    """What a crossfade does depends on the sound beyond what it changes."""
    at = data.draw(st.integers(1, len(old.steps) - 2))
    gain_db = data.draw(st.sampled_from([-40.0, 12.0]))
    steps = (*old.steps[:at], replace(old.steps[at], gain_db=gain_db), *old.steps[at + 1 :])
    check_splice(old, replace(old, steps=steps), crossfade)


def test_change_of_a_ramp_leaves_the_rest_of_its_run_as_it_was():
    steps = [
        Step(i, "loop_amen", (2 + i) * HOP, HOP, i * HOP, gain_db=-float(i % 3), ramp=i > 0)
        for i in range(20)
    ]
    old = plan(steps, 2)
    new = plan([*steps[:10], replace(steps[10], gain_db=-9.0), *steps[11:]], 2)
    assert find_change(old, new, OF_20_MS) == Change(9 * HOP, 12 * HOP, 12 * HOP)


def test_change_of_one_voice_leaves_the_others_as_they_were():
    voices = [frames([1, 20, 7, 33, 2, 50, 9]), frames([5, 6, 7, 8, 9, 10, 11]), frames([40, 30])]
    old = join_voices(voices)
    changed = replace(old.steps[10], start_sample=60 * HOP)
    new = replace(old, steps=(*old.steps[:10], changed, *old.steps[11:]))
    assert find_change(old, new, OF_20_MS) == Change(
        3 * HOP - REACH, 4 * HOP + REACH, 4 * HOP + REACH
    )
    assert find_change(old, join_voices(voices[:2]), OF_20_MS) == Change(0, 2 * HOP, 2 * HOP)


def test_another_unit_changes_itself_and_its_crossfades():
    old = frames([1, 20, 7, 33, 2, 50, 9])
    new = replace(
        old, steps=(*old.steps[:3], replace(old.steps[3], start_sample=40 * HOP), *old.steps[4:])
    )
    change = find_change(old, new, OF_20_MS)
    assert change == Change(3 * HOP - REACH, 4 * HOP + REACH, 4 * HOP + REACH)
    differs = np.flatnonzero(
        (
            played(old, SOUND[old.channels], crossfade=OF_20_MS)
            != played(new, SOUND[new.channels], crossfade=OF_20_MS)
        ).any(axis=1)
    )
    assert change.start <= differs[0] <= 3 * HOP
    assert 4 * HOP <= differs[-1] < change.new_stop


@pytest.mark.parametrize(
    "how",
    [
        {"gain_db": -1.0},
        {"reverse": True},
        {"transpose": 1.0},
        {"stretch": 2.0},
        {"source": "bd_haus"},
        {"start_sample": 9},
    ],
)
def test_whatever_is_done_to_a_unit_changes_itself_and_its_crossfades(how):
    old = frames([1, 20, 7, 33, 2])
    new = replace(old, steps=(*old.steps[:2], replace(old.steps[2], **how), *old.steps[3:]))
    assert find_change(old, new, OF_20_MS) == Change(
        2 * HOP - REACH, 3 * HOP + REACH, 3 * HOP + REACH
    )


def test_long_crossfades_reach_no_further_than_the_middle_of_the_neighbours():
    old = frames([1, 20, 7, 33, 2, 50, 9])
    new = replace(
        old, steps=(*old.steps[:3], replace(old.steps[3], start_sample=40 * HOP), *old.steps[4:])
    )
    assert find_change(old, new, CrossfadeOptions(200.0)) == Change(
        3 * HOP - HOP // 2, 4 * HOP + HOP // 2, 4 * HOP + HOP // 2
    )


def test_what_is_behind_a_step_that_goes_is_kept_where_it_comes_to_lie():
    old = frames([1, 20, 7, 33, 2, 50, 9])
    new = frames([1, 20, 7, 2, 50, 9])
    assert find_change(old, new, OF_20_MS) == Change(
        3 * HOP - REACH, 4 * HOP + REACH, 3 * HOP + REACH
    )
    assert find_change(new, old, OF_20_MS) == Change(
        3 * HOP - REACH, 3 * HOP + REACH, 4 * HOP + REACH
    )


def test_edits_at_the_two_ends():
    old = frames([1, 20, 7])
    assert find_change(old, frames([5, 20, 7]), OF_20_MS) == Change(0, HOP + REACH, HOP + REACH)
    assert find_change(old, frames([1, 20, 9]), OF_20_MS) == Change(
        2 * HOP - REACH, 3 * HOP, 3 * HOP
    )
    assert find_change(old, frames([1, 20, 7, 30]), OF_20_MS) == Change(
        3 * HOP - REACH, 3 * HOP, 4 * HOP
    )
    assert find_change(old, replace(old, tail_samples=9), OF_20_MS) == Change(
        3 * HOP, 3 * HOP, 3 * HOP + 9
    )
    assert find_change(old, frames([5, 20, 9]), OF_20_MS) == Change(0, 3 * HOP, 3 * HOP)


def test_a_change_within_a_run_makes_its_halves_anew_as_far_as_their_new_crossfades_reach():
    old = frames(range(2, 40))
    at = 18 * HOP
    new = frames([*range(2, 20), 45, *range(21, 40)])
    assert find_change(old, new, OF_20_MS) == Change(at - REACH, at + HOP + REACH, at + HOP + REACH)
    shorter = frames([*range(2, 20), *range(21, 40)])
    assert find_change(old, shorter, OF_20_MS) == Change(at - REACH, at + HOP + REACH, at + REACH)


def test_what_is_played_twice_within_a_run_is_kept_once():
    old = frames([50, 2, 3, 4, 5, 50])
    new = frames([50, 2, 3, 4, 3, 4, 5, 50])
    change = find_change(old, new, OF_20_MS)
    assert change == Change(4 * HOP - REACH, 4 * HOP - REACH, 6 * HOP - REACH)
    np.testing.assert_array_equal(
        spliced(old, new, change, OF_20_MS),
        played(new, SOUND[new.channels], crossfade=OF_20_MS),
    )


def test_rests_are_the_same_as_far_as_both_last():
    first, second = frames([1, 20]).steps
    old, new = (
        replace(frames([1]), steps=(first, replace(second, at_sample=at * HOP)), tail_samples=HOP)
        for at in (5, 8)
    )
    assert find_change(old, new, OF_20_MS) == Change(5 * HOP, 5 * HOP, 8 * HOP)


@pytest.mark.parametrize(
    "said",
    [
        {"unit": 5},
        {"distance": 3.0},
        {"join": 1.0},
        {"target": 4},
        {"locked": True},
        {"alternatives": ({"unit": 9, "distance": 2.0},)},
    ],
)
def test_what_is_only_said_of_a_step_changes_nothing(said):
    old = frames([1, 20, 7])
    assert (
        find_change(
            old,
            replace(old, steps=(old.steps[0], replace(old.steps[1], **said), old.steps[2])),
            CrossfadeOptions(),
        )
        is None
    )


def test_a_unit_cut_in_two_where_crossfades_do_not_reach_changes_nothing():
    old = plan([Step(0, "loop_amen", 0, 8 * HOP, 0), Step(1, "bd_haus", 0, 8 * HOP, 8 * HOP)], 2)
    first, second = old.steps
    halves = replace(first, n_samples=4 * HOP), Step(2, "loop_amen", 4 * HOP, 4 * HOP, 4 * HOP)
    assert find_change(old, replace(old, steps=(*halves, second)), OF_20_MS) is None
    ends = replace(first, n_samples=8 * HOP - 9), Step(2, "loop_amen", 8 * HOP - 9, 9, 8 * HOP - 9)
    new = replace(old, steps=(*ends, second))
    change = find_change(old, new, OF_20_MS)
    assert change == Change(8 * HOP - REACH, 8 * HOP + REACH, 8 * HOP + REACH)
    np.testing.assert_array_equal(
        spliced(old, new, change, OF_20_MS),
        played(new, SOUND[new.channels], crossfade=OF_20_MS),
    )  # a crossfade lies within one unit


def test_a_source_that_is_another_file_now_is_another_sound():
    old = replace(
        frames([1, 20, 7]), sources={"loop_amen": {"hash": "a", "bytes": 1, "modified_ns": 1}}
    )
    touched = replace(old, sources={"loop_amen": {"hash": "a", "bytes": 1, "modified_ns": 2}})
    other = replace(old, sources={"loop_amen": {"hash": "b", "bytes": 1, "modified_ns": 1}})
    assert find_change(old, touched, CrossfadeOptions()) is None
    assert find_change(old, other, CrossfadeOptions()) == Change(0, 3 * HOP, 3 * HOP)


def test_of_another_rate_or_number_of_channels_nothing_is_kept():
    old = frames([1, 20, 7])
    for new in (
        replace(old, channels=1, tail_samples=5),
        replace(old, sample_rate=RATE + 1, tail_samples=5),
    ):
        assert find_change(old, new, CrossfadeOptions()) == Change(0, 3 * HOP, 3 * HOP + 5)


def test_a_source_that_only_one_plan_names_is_the_same():
    old = frames([1, 20, 7])
    named = replace(old, sources={"loop_amen": {"hash": "a", "bytes": 1, "modified_ns": 1}})
    assert find_change(old, named, OF_20_MS) is None
    assert find_change(named, old, OF_20_MS) is None


@settings(max_examples=60, deadline=None)
@given(drawn_plans(most_runs=12), CROSSFADES, st.data())
def test_steps_that_two_plans_share_need_not_be_looked_at(old, crossfade, data):
    numbers = data.draw(st.sets(st.integers(0, len(old.steps) - 1), min_size=1, max_size=3))
    steps = tuple(
        replace(s, gain_db=s.gain_db - 3) if number in numbers else s
        for number, s in enumerate(old.steps)
    )
    new = replace(old, steps=steps)
    apart = replace(old, steps=tuple(map(replace, old.steps)))
    assert all(a is not b for a, b in zip(apart.steps, new.steps, strict=True))
    assert find_change(old, new, crossfade) == find_change(apart, new, crossfade)
