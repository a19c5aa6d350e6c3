"""A voice that grows step by step gives, of what is final, what `stitch` gives of the whole."""

import random
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from files.errors import ParameterError, PlanError
from playback.growing import GrowingVoice
from playback.lead import lead_samples, live_crossfade
from playback.options import DEFAULT_CROSSFADE, CrossfadeOptions
from playback.plan import Plan, Step
from playback.runs import ZONE_GRID, is_contiguous, kept_apart
from tests.playback.drawn_plans import CROSSFADES, LASTS, SOUND, drawn_plans
from tests.playback.sounds import HOP, RATE, Memory, noise, plan, played

LIVE = live_crossfade(HOP, RATE)


def grow(channels: int = 1, crossfade: CrossfadeOptions = LIVE, voice: int = 0) -> GrowingVoice:
    return GrowingVoice(
        SOUND[channels], sample_rate=RATE, channels=channels, voice=voice, crossfade=crossfade
    )


def made_apart(drawn: Plan) -> Plan:
    """Each transposed or stretched step as a run of its own."""
    steps: list[Step] = []
    for step in drawn.steps:
        before = steps[-1] if steps else None
        steps.append(kept_apart(step, before) if step.is_resampled else step)
    return replace(drawn, steps=tuple(steps))


def span(rng: random.Random, least: int, most: int) -> tuple[int, int]:
    start = rng.randint(least, most)
    return start, rng.choice([most, rng.randint(start, most)])


def check_preview(voice: GrowingVoice, drawn: Plan, n_added: int, rng: random.Random, least: int):
    """What would sound is the plan that ends after some of the coming steps."""
    n_ahead = rng.choice([0, 1, 2])
    ended = replace(drawn, steps=drawn.steps[: n_added + n_ahead], tail_samples=500)
    whole = played(ended, SOUND[drawn.channels], crossfade=voice.crossfade)
    start, stop = span(rng, least, ended.n_samples)
    found = voice.preview(drawn.steps[n_added : n_added + n_ahead], start, stop)
    assert found.tobytes() == whole[start:stop].tobytes()


@settings(deadline=None, max_examples=30)
@given(
    drawn_plans(most_runs=5).map(made_apart),
    st.just(LIVE) | CROSSFADES,
    st.randoms(use_true_random=False),
)
def test_what_is_final_is_what_stitch_makes_of_the_whole(drawn, crossfade, rng):
    whole = played(drawn, SOUND[drawn.channels], crossfade=crossfade)
    voice = grow(drawn.channels, crossfade)
    final = forgotten = 0
    for n_added, step in enumerate(drawn.steps, start=1):
        if rng.random() < 0.5:
            voice.rest(step.at_sample)
        voice.add(step)
        assert voice.final_until >= final
        final = voice.final_until
        if rng.random() < 0.3:
            check_preview(voice, drawn, n_added, rng, forgotten)
        if rng.random() < 0.7:
            start, stop = span(rng, forgotten, final)
            assert voice.read(start, stop).tobytes() == whole[start:stop].tobytes()
            if rng.random() < 0.7:
                forgotten = rng.randint(forgotten, stop)
                voice.forget(forgotten)
    voice.rest(drawn.n_samples + 1)
    rest = voice.read(forgotten, drawn.n_samples)
    assert rest.tobytes() == whole[forgotten:].tobytes()


def jumps(n_steps: int, seed: int = 0, n_samples: int = HOP) -> list[Step]:
    """Steps from anywhere; every other one goes on, and glides to another gain."""
    rng = random.Random(seed)
    steps: list[Step] = []
    for number in range(n_steps):
        at = number * n_samples
        if number % 2 and steps[-1].end_sample + n_samples <= LASTS[steps[-1].source]:
            start = steps[-1].end_sample
            step = replace(steps[-1], start_sample=start, at_sample=at, gain_db=-9.0, ramp=True)
        else:
            name = rng.choice(list(LASTS))
            step = Step(0, name, rng.randrange(LASTS[name] - n_samples), n_samples, at)
        steps.append(step)
    return steps


@pytest.mark.parametrize("how", [{}, {"reverse": True}, {"transpose": 5.0}])
def test_all_but_half_of_the_last_step_is_final_with_the_live_crossfade(how):
    if "transpose" in how:
        pytest.importorskip("python_stretch")
    voice = grow()
    for number, drawn in enumerate(jumps(24)[:: 2 if how else 1]):
        step = replace(drawn, at_sample=number * HOP, **how)
        voice.add(step)
        assert voice.final_until >= step.until_sample - HOP // 2


@pytest.mark.parametrize("rate", [22050, 44100, 48000])
@pytest.mark.parametrize("step_samples", [1, 256, 1024, 2048, 3000, 20_000])
def test_live_crossfade_needs_half_a_step_and_is_the_default_where_that_fits(step_samples, rate):
    crossfade = live_crossfade(step_samples, rate)
    reach = crossfade.reach_samples(rate)
    full = DEFAULT_CROSSFADE.reach_samples(rate)
    assert reach == min(full, max(step_samples // 2 - ZONE_GRID, 0))
    assert (crossfade == DEFAULT_CROSSFADE) == (reach == full)
    assert lead_samples(crossfade, rate) == max(reach + ZONE_GRID - 1, round(512 * rate / 44100))


def test_crossfade_does_not_depend_on_the_gain_at_which_the_run_goes_on():
    """Even if that gain is reached within what the crossfade is decided from, as here: an attack
    just before the join counts only if the sound behind the join is as loud.
    """
    for start in range(2000, 12_000, 100):
        steps = [
            Step(0, "ambi_choir", 20_000, HOP, 0),
            Step(0, "loop_amen", start, 1, HOP),
            Step(0, "loop_amen", start + 1, 63, HOP + 1),
            Step(0, "loop_amen", start + 64, 500, HOP + 64, ramp=True),
        ]
        ends = [
            played(plan([*steps[:3], replace(steps[3], gain_db=gain)]), SOUND[1], crossfade=LIVE)
            for gain in (0.0, -40.0)
        ]
        until = HOP + 64 - 31
        np.testing.assert_array_equal(ends[0][:until], ends[1][:until])


def test_what_was_forgotten_still_counts_for_the_next_join():
    """It is forgotten before the sound around the join was read, or as soon as that was."""
    for start in range(0, 40_000, 2000):
        steps = [
            Step(0, "loop_amen", start + n * HOP, HOP, n * HOP, gain_db=-40.0 * (n % 2), ramp=n > 0)
            for n in range(4)
        ]
        steps.append(Step(0, "ambi_choir", 20_000 + start, HOP, 4 * HOP))
        whole = played(plan(steps), SOUND[1], crossfade=LIVE)
        voice = grow()
        for step in steps:
            voice.forget(voice.final_until)
            voice.add(step)
        voice.forget(4 * HOP + 10)
        found = voice.read(4 * HOP + 10, voice.final_until)
        np.testing.assert_array_equal(found, whole[4 * HOP + 10 : voice.final_until])


def test_silence_is_final_as_far_as_it_is_promised():
    voice = grow()
    assert voice.final_until == 0
    voice.rest(500)
    assert not voice.read(0, 500).any()
    voice.add(Step(0, "loop_amen", 0, HOP, 700))
    assert voice.final_until == 700 + HOP // 2
    voice.rest(700 + HOP)
    assert voice.final_until == 700 + HOP // 2
    voice.rest(700 + HOP + 1)
    assert voice.final_until == 700 + HOP + 1
    with pytest.raises(PlanError, match="at_sample=1724 must be at least 1725"):
        voice.add(Step(0, "loop_amen", 0, HOP, 700 + HOP))


def test_preview_changes_nothing():
    steps = jumps(9)
    whole = played(plan(steps), SOUND[1], crossfade=LIVE)
    voice = grow()
    done = 0
    for step in steps:
        voice.preview([step], done, step.until_sample)
        voice.add(step)
        other = Step(0, "bd_haus", 3000, HOP, step.until_sample)
        voice.preview([other], voice.final_until, other.until_sample)
        final = voice.final_until
        assert voice.read(done, final).tobytes() == whole[done:final].tobytes()
        done = final


def test_time_and_memory_of_a_long_run_stay_flat():
    """A run of 500 steps, each with another gain, and each step is read about twice."""

    class Counting(Memory):
        n_read = 0

        def read_into(self, out, source, start):
            self.n_read += len(out)
            super().read_into(out, source, start)

    sound = Counting(a=noise(502 * HOP))
    voice = GrowingVoice(sound, sample_rate=RATE, channels=1, crossfade=LIVE)
    done = 0
    sizes = []
    for number in range(500):
        before = number * HOP
        voice.add(Step(0, "a", before, HOP, before, gain_db=-(number % 7), ramp=number > 0))
        final = voice.final_until
        voice.read(done, final)
        voice.forget(final)
        done = final
        if number == 50:
            tracemalloc.start()
        if number in (100, 499):
            sizes.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert sound.n_read < 502 * HOP + 4 * HOP
    assert sizes[1] < sizes[0] + 2000


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (Step(0, "bd_haus", 0, 9, HOP, voice=1), "voice=1 must be 0"),
        (Step(0, "bd_haus", 0, 9, HOP - 1), "at_sample=1023 must be at least 1024"),
        (Step(0, "bd_haus", 0, 9, HOP, ramp=True), "ramp=true, but it does not go on"),
        (Step(0, "bd_haus", 9, 10**6, HOP), "it ends at 1000009, but the source has"),
    ],
)
def test_step_that_cannot_stand_in_the_plan_raises(step, message):
    voice = grow()
    voice.add(Step(0, "loop_amen", 0, HOP, 0))
    with pytest.raises(PlanError, match=message):
        voice.add(step)


def test_transposed_step_must_not_go_on_and_can_be_kept_apart():
    pytest.importorskip("python_stretch")
    first = Step(0, "loop_amen", 500, HOP, 0, transpose=2.0)
    second = Step(0, "loop_amen", 500 + HOP, HOP, HOP, transpose=2.0)
    voice = grow()
    voice.add(first)
    with pytest.raises(PlanError, match="must not go on from the step before"):
        voice.add(second)
    apart = kept_apart(second, first)
    assert not is_contiguous(first, apart)
    assert kept_apart(apart, first) is apart
    voice.add(apart)
    voice.rest(2 * HOP + 1)
    whole = played(plan([first, apart]), SOUND[1], crossfade=LIVE)
    assert voice.read(0, 2 * HOP).tobytes() == whole.tobytes()


@pytest.mark.parametrize(("start", "stop"), [(0, 10), (600, 599), (1000, 5 * HOP)])
def test_only_what_is_final_and_not_forgotten_can_be_read(start, stop):
    voice = grow()
    for step in jumps(4):
        voice.add(step)
    voice.forget(500)
    with pytest.raises(ParameterError, match="must be in order, and within 500 to"):
        voice.read(start, stop)
