"""Which steps are one run, and how much of a run a crossfade may change."""

from dataclasses import replace

import numpy as np
import pytest

from playback.plan import Step
from playback.runs import (
    ZONE_GRID,
    Ramp,
    Run,
    is_contiguous,
    join_runs,
    joined_runs,
    run_end,
    run_start,
)

FIRST = Step(0, "a", 1000, 100, 0)
STEPS = [
    FIRST,
    Step(1, "a", 1100, 50, 100),
    Step(2, "a", 1150, 70, 150),
    Step(3, "b", 0, 30, 220),
    Step(4, "a", 1220, 40, 250),
    Step(5, "a", 1260, 40, 300),  # after a rest of 10 samples
]


def test_adjacent_steps_are_one_run():
    runs = join_runs(STEPS)
    assert [(run.first, run.last) for run in runs] == [(0, 2), (3, 3), (4, 4), (5, 5)]
    whole = runs[0].step
    assert (whole.start_sample, whole.n_samples, whole.at_sample) == (1000, 220, 0)
    assert (runs[0].head, runs[0].tail) == (100, 70)
    assert [run.step for run in runs[1:]] == STEPS[3:]


@pytest.mark.parametrize(
    "other",
    [
        {"source": "b"},
        {"start_sample": 1101},
        {"at_sample": 101},
        {"gain_db": -1.0},
        {"reverse": True},
        {"stretch": 1.001},
        {"transpose": 1.0},
        {"stretch": 2.0},
        {"voice": 1},
        {"voice": 1, "ramp": True},
    ],
)
def test_sound_does_not_go_on_in_another_place_or_way(other):
    step = {"unit": 1, "source": "a", "start_sample": 1100, "n_samples": 50, "at_sample": 100}
    assert is_contiguous(FIRST, Step(**step))
    assert not is_contiguous(FIRST, Step(**step | other))


def test_sound_goes_on_with_another_gain_only_by_a_ramp():
    louder = Step(1, "a", 1100, 50, 100, gain_db=6.0)
    assert not is_contiguous(FIRST, louder)
    assert is_contiguous(FIRST, replace(louder, ramp=True))


def test_ramps_are_where_gains_differ_and_take_half_of_the_shorter_step_at_most():
    gains = [0.0, -3.0, -3.0, 2.0]
    lengths = [100, 2000, 4000, 4000]
    steps = []
    for gain, n in zip(gains, lengths, strict=True):
        start = steps[-1].end_sample if steps else 0
        steps.append(Step(0, "a", start, n, start, gain_db=gain, ramp=bool(steps)))
    (run,) = join_runs(steps)
    assert run.ramps == (Ramp(100, 50, 0.0, -3.0), Ramp(6100, 2000, -3.0, 2.0))
    assert [ramp.half(44100) for ramp in run.ramps] == [50, 512]
    assert run.ramps[1].half(22050) == 256


def test_the_first_run_of_a_voice_comes_after_none():
    voices = [replace(step, voice=voice) for voice in (0, 3) for step in STEPS]
    assert [run.first for run in joined_runs(STEPS)] == [3, 4, 5]
    assert [run.first for run in joined_runs(voices)] == [3, 4, 5, 9, 10, 11]


def test_the_run_of_a_step_is_found_from_any_of_its_steps():
    assert [run_start(STEPS, number) for number in range(-1, 7)] == [0, 0, 0, 0, 3, 4, 5, 5]
    assert [run_end(STEPS, number) for number in range(-1, 7)] == [2, 2, 2, 2, 3, 4, 5, 5]


def test_a_crossfade_may_change_half_of_a_run_and_one_unit_at_most():
    run = Run(Step(0, "a", 0, 1000, 0), 0, 1, head=300, tail=700)
    assert (run.head_limit(10_000), run.tail_limit(10_000)) == (300, 500)
    assert (run.head_limit(200), run.tail_limit(200)) == (200, 200)


def test_a_remainder_shorter_than_the_grid_is_left_to_the_crossfade():
    run = Run(Step(0, "a", 0, 1000, 0), 0, 0, head=1000, tail=1000)
    assert run.head_limit(500 - ZONE_GRID) == 500 - ZONE_GRID
    assert run.head_limit(500 - ZONE_GRID + 1) == 500


@pytest.mark.parametrize(
    "how",
    [
        {"transpose": -2.0},
        {"stretch": 0.1},
        {"stretch": 0.5},
        {"stretch": 1.1},
        {"stretch": 3.0, "transpose": 1.0, "gain_db": -2.0},
    ],
)
def test_steps_that_are_transformed_alike_are_one_run(how):
    stretch = how.get("stretch", 1.0)
    starts = np.cumsum([1000, *([997, 1024, 3001] * 10)])
    ends = np.round((starts - 1000) * stretch).astype(int).tolist()
    steps = [Step(i, "a", int(starts[i]), ends[i + 1] - ends[i], ends[i], **how) for i in range(30)]
    (run,) = join_runs(steps)
    assert run.step == replace(steps[0], n_samples=ends[-1])
    assert abs(run.step.end_sample - starts[-1]) <= steps[0].rounding


def test_rounding_of_stretched_steps_is_a_sample_of_the_output():
    rounding = {0.1: 10, 0.4: 3, 0.5: 2, 0.9: 2, 1.0: 0, 1.1: 1, 8.0: 1}
    assert {s: replace(FIRST, stretch=s).rounding for s in rounding} == rounding


@pytest.mark.parametrize("off", [-3, 3])
def test_stretched_steps_apart_by_more_than_rounding_are_two_runs(off):
    first = replace(FIRST, stretch=0.5)
    second = replace(first, start_sample=first.end_sample + off, at_sample=100)
    assert len(join_runs([first, second])) == 2


def test_reversed_steps_are_runs_of_their_own():
    first = replace(FIRST, reverse=True)
    second = replace(first, start_sample=first.end_sample, at_sample=100)
    assert len(join_runs([first, second])) == 2
