"""Voices sound at once, each as if it were alone; and gains glide where a step asks for it."""

import tracemalloc
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playback.options import CrossfadeOptions
from playback.plan import Step
from playback.stitch import stitch
from tests.playback.drawn_plans import CROSSFADES, SOUND, drawn_voices
from tests.playback.sounds import HOP, RATE, Memory, noise, plan, played, units

HARD = CrossfadeOptions.plain(0.0)


def part(plan, sound, **options):
    """Stitched from `start` to `stop`, also where that is nothing."""
    nothing = np.empty((0, plan.channels), np.float32)
    return np.concatenate([nothing, *stitch(plan, sound, **options)])


def in_voices(*voices, **options):
    """A plan of lists of steps."""
    steps = [replace(step, voice=v) for v, steps in enumerate(voices) for step in steps]
    return plan(steps, **options)


def test_voices_are_added():
    sound = Memory(a=np.full(9 * HOP, 0.25), b=np.full(9 * HOP, 0.5))
    p = in_voices([Step(0, "a", HOP, 100, 0)], [Step(0, "b", HOP, 100, 60)], tail_samples=5)
    out = played(p, sound, crossfade=HARD)[:, 0]
    np.testing.assert_array_equal(out, [0.25] * 60 + [0.75] * 40 + [0.5] * 60 + [0] * 5)


def test_voice_that_plays_nothing_is_silent():
    sound = Memory(a=noise(9 * HOP))
    alone = plan([Step(0, "a", HOP, 500, 20)])
    p = replace(alone, steps=(replace(alone.steps[0], voice=2),))
    np.testing.assert_array_equal(played(p, sound), played(alone, sound))
    assert not played(p, sound, only=0).any()


@settings(deadline=None, max_examples=40)
@given(drawn_voices(), CROSSFADES)
def test_each_voice_sounds_as_if_it_were_alone_and_their_sum_is_the_whole(drawn, crossfade):
    sound = SOUND[drawn.channels]
    total = np.zeros((drawn.n_samples, drawn.channels), np.float32)
    for number, voice in enumerate(drawn.voices):
        found = played(drawn, sound, crossfade=crossfade, only=number)
        if voice:
            steps = [replace(drawn.steps[n], voice=0) for n in voice]
            alone = replace(drawn, steps=tuple(steps), tail_samples=0)
            alone = replace(alone, tail_samples=drawn.n_samples - alone.n_samples)
            assert found.tobytes() == played(alone, sound, crossfade=crossfade).tobytes()
        total += found
    np.testing.assert_array_equal(played(drawn, sound, crossfade=crossfade), total)


@settings(deadline=None, max_examples=40)
@given(drawn_voices(), CROSSFADES)
def test_parts_of_all_sources_add_up_to_the_voices(drawn, crossfade):
    sound = SOUND[drawn.channels]
    parts = [
        played(drawn, sound, crossfade=crossfade, only=source)
        for source in sorted({step.source for step in drawn.steps})
    ]
    np.testing.assert_allclose(sum(parts), played(drawn, sound, crossfade=crossfade), atol=2e-6)


@settings(deadline=None, max_examples=50)
@given(drawn_voices(), CROSSFADES, st.data())
def test_a_part_has_the_samples_of_the_whole(drawn, crossfade, data):
    sound = SOUND[drawn.channels]
    only = data.draw(st.sampled_from([None, None, drawn.steps[0].source, drawn.n_voices - 1]))
    whole = played(drawn, sound, crossfade=crossfade, only=only)
    cuts = sorted(data.draw(st.lists(st.integers(0, drawn.n_samples), max_size=4)))
    for start, stop in pairwise([0, *cuts, drawn.n_samples]):
        found = part(drawn, sound, crossfade=crossfade, only=only, start=start, stop=stop)
        assert found.tobytes() == whole[start:stop].tobytes()


@settings(deadline=None, max_examples=20)
@given(drawn_voices(), st.sampled_from([37, 1000]), st.sampled_from([1, 20_000]))
def test_sizes_of_blocks_and_batches_do_not_change_the_samples(drawn, block, values):
    sound = SOUND[drawn.channels]
    found = played(drawn, sound, block_samples=block, batch_values=values)
    assert found.tobytes() == played(drawn, sound).tobytes()


def test_memory_of_many_voices_stays_flat():
    rng = np.random.default_rng(0)
    sound = Memory(a=noise(400 * HOP))
    peaks = []
    for n_steps in (100, 800):
        voices = [
            units([("a", int(i) * HOP, HOP) for i in rng.integers(399, size=n_steps)])
            for _ in range(6)
        ]
        tracemalloc.start()
        for _ in stitch(in_voices(*voices), sound, batch_values=1 << 15, block_samples=1 << 14):
            pass
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 6 * 700 * 1000  # the runs' bookkeeping; 17 MB more would be sound


def ramped(*gains_db, n=4 * HOP, **how):
    """Steps of one run, each with its gain."""
    return [
        Step(i, "a", HOP + i * n, n, i * n, gain_db=gain, ramp=i > 0, **how)
        for i, gain in enumerate(gains_db)
    ]


def test_gain_glides_over_23_ms_around_the_boundary():
    p = plan(ramped(-20.0, 0.0))
    out = played(p, Memory(a=np.ones(10 * HOP)), crossfade=HARD)[:, 0]
    middle = 4 * HOP
    np.testing.assert_array_equal(out[: middle - 512], np.float32(0.1))
    np.testing.assert_array_equal(out[middle + 512 :], 1)
    glide = 0.1 + 0.9 * (np.arange(1024) + 0.5) / 1024
    np.testing.assert_allclose(out[middle - 512 : middle + 512], glide, rtol=1e-6)


def test_ramp_is_as_long_at_another_sample_rate():
    p = replace(plan(ramped(-20.0, 0.0)), sample_rate=RATE // 2)
    out = played(p, Memory(a=np.ones(10 * HOP)), crossfade=HARD)[:, 0]
    assert np.flatnonzero(np.diff(out))[[0, -1]].tolist() == [4 * HOP - 257, 4 * HOP + 255]


@pytest.mark.parametrize(("n", "half"), [(1024, 512), (600, 300), (3, 1)])
def test_ramp_takes_at_most_half_of_either_step(n, half):
    steps = [*ramped(0.0, -20.0, n=n), Step(9, "a", HOP + 2 * n, 3 * n, 2 * n, ramp=True)]
    out = played(plan(steps), Memory(a=np.ones(10 * HOP)), crossfade=HARD)[:, 0]
    assert (out[: n - half] == 1).all()
    assert (out[2 * n + half :] == 1).all()
    assert out[n + half - 1] < 0.1 + 0.9 / half
    down = 1 - 0.9 * (np.arange(2 * half) + 0.5) / (2 * half)
    np.testing.assert_allclose(out[n - half : n + half], down, rtol=1e-6)
    np.testing.assert_allclose(out[2 * n - half : 2 * n + half], down[::-1], rtol=1e-6)


def test_steps_of_one_sample_change_their_gain_at_once():
    out = played(plan(ramped(0.0, -20.0, 6.0, n=1)), Memory(a=np.ones(9 * HOP)), crossfade=HARD)
    np.testing.assert_allclose(out[:, 0], [1, 0.1, 10 ** (6 / 20)], rtol=1e-6)


def test_ramp_is_no_join():
    """No crossfade, no fade: what is beside it is the source, scaled."""
    a = noise(20 * HOP)
    out = played(plan(ramped(0.0, -6.0, 0.0)), Memory(a=a))[:, 0]
    np.testing.assert_array_equal(out[200 : 4 * HOP - 512], a[HOP + 200 : 5 * HOP - 512])
    np.testing.assert_array_equal(out[8 * HOP + 512 : -200], a[9 * HOP + 512 : 13 * HOP - 200])


def test_ramp_that_does_not_go_on_in_its_source_is_a_join():
    """The step before may be left out because its source is missing."""
    steps = ramped(0.0, -6.0)
    apart = [steps[0], replace(steps[1], start_sample=steps[1].start_sample + 1)]
    joined = [apart[0], replace(apart[1], ramp=False)]
    sound = Memory(a=noise(20 * HOP))
    np.testing.assert_array_equal(played(plan(apart), sound), played(plan(joined), sound))
    np.testing.assert_array_equal(played(plan(apart[1:]), sound), played(plan(joined[1:]), sound))


def test_gain_glides_in_the_time_of_the_output(tabla):
    pytest.importorskip("python_stretch")
    how = {"stretch": 2.0, "transpose": 3.0}
    n = 4 * HOP
    steps = [
        Step(i, "a", HOP + i * n // 2, n, i * n, gain_db=gain, ramp=i > 0, **how)
        for i, gain in enumerate((-20.0, 0.0))
    ]
    sound = Memory(a=tabla)
    gliding = played(plan(steps), sound, crossfade=HARD)[:, 0]
    plain = played(plan([replace(s, gain_db=0.0) for s in steps]), sound, crossfade=HARD)[:, 0]
    course = np.interp(np.arange(2 * n) + 0.5, [n - 512, n + 512], [0.1, 1])
    np.testing.assert_allclose(gliding, plain * course, atol=1e-6)
