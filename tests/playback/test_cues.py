"""Cues, played by straight lines alone, sound as the plan does."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playback.cues import join_cues, make_cues
from playback.options import CrossfadeOptions
from playback.plan import Step
from tests.playback.sounds import HOP, Memory, noise, plan, played, units

MATCHED = CrossfadeOptions()


def play(cues, sources, n_samples):
    """What another tool makes of cues: linear fades, an envelope of straight lines, a gain."""
    out = np.zeros(n_samples)
    for cue in cues:
        at = np.arange(cue.n_samples)
        start = cue.step.start_sample - cue.lead
        sound = sources[cue.step.source][start : start + cue.n_samples] * 10 ** (
            cue.step.gain_db / 20
        )
        sound = sound * np.interp(at, *zip(*cue.envelope, strict=True))
        for length, since in ((cue.fade_in, at), (cue.fade_out, cue.n_samples - at)):
            if length:
                sound = sound * np.clip(since / length, 0, 1)
        out[cue.at_sample : cue.at_sample + cue.n_samples] += sound
    return out


@settings(deadline=None, max_examples=40)
@given(
    starts=st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 39)), min_size=1, max_size=12),
    hop=st.sampled_from([300, 1024, 6000]),
    plain=st.booleans(),
)
def test_cues_play_as_the_plan_does(starts, hop, plain):
    sources = {"a": noise(40 * hop), "b": noise(40 * hop, 1, 0.1)}
    p = plan(units([(source, number * hop, hop) for source, number in starts], hop))
    crossfade = CrossfadeOptions.plain(22.0) if plain else CrossfadeOptions()
    cues = make_cues(p, Memory(**sources), crossfade=crossfade)
    assert [cue.number for cue in cues] == list(range(len(starts)))
    expected = played(p, Memory(**sources), crossfade=crossfade)[:, 0]
    error = play(cues, sources, p.n_samples) - expected
    assert np.sqrt(np.mean(error**2)) < 0.005 * np.sqrt(np.mean(expected**2))


def glides(rng, hop, n_steps, n_voices):
    """Steps of runs, most of which have ramps, in voices."""
    steps = []
    for voice in range(n_voices):
        before = None
        for number in range(n_steps):
            step = Step(0, "a", int(rng.integers(39)) * hop, hop, number * hop, voice=voice)
            if before and before.end_sample < 39 * hop and rng.random() < 0.7:
                step = replace(step, source=before.source, start_sample=before.end_sample)
                step = replace(step, ramp=bool(rng.random() < 0.8))
            else:
                step = replace(step, source="ab"[rng.integers(2)])
            before = replace(step, gain_db=float(rng.uniform(-30, 0)))
            steps.append(before)
    return steps


@pytest.mark.parametrize("hop", [300, 1024, 6000])
@pytest.mark.parametrize("n_voices", [1, 3])
def test_cues_of_voices_and_ramps_play_as_the_plan_does(hop, n_voices):
    """Ramps are exact, and fades nearly so."""
    sources = {"a": noise(40 * hop), "b": noise(40 * hop, 1, 0.1)}
    p = plan(glides(np.random.default_rng(hop), hop, 30, n_voices))
    for crossfade, most in ((CrossfadeOptions.plain(0.0), 1e-5), (MATCHED, 0.005)):
        cues = make_cues(p, Memory(**sources), crossfade=crossfade)
        assert [cue.number for cue in cues] == list(range(len(p.steps)))
        assert [cue.step for cue in cues] == list(p.steps)
        expected = played(p, Memory(**sources), crossfade=crossfade)[:, 0]
        error = play(cues, sources, p.n_samples) - expected
        assert np.sqrt(np.mean(error**2)) < most * np.sqrt(np.mean(expected**2))


def test_voices_that_meet_are_not_joined():
    p = plan([Step(0, "a", HOP, HOP, 0), Step(1, "a", 5 * HOP, HOP, HOP, voice=1)])
    first, second = make_cues(p, Memory(a=noise(9 * HOP)), crossfade=CrossfadeOptions.plain(10.0))
    assert (first.n_samples, second.lead, second.n_samples) == (HOP, 0, HOP)


def test_adjacent_units_are_cues_side_by_side_without_fades():
    p = plan(units([("a", (3 + i) * HOP, HOP) for i in range(4)]))
    cues = make_cues(p, Memory(a=noise(9 * HOP)), crossfade=CrossfadeOptions())
    assert [(cue.at_sample, cue.n_samples) for cue in cues] == [(i * HOP, HOP) for i in range(4)]
    assert [cue.fade_in for cue in cues[1:]] == [0, 0, 0]
    assert cues[1].envelope == ((0, 1.0),)


def test_overlap_is_in_both_cues():
    p = plan(units([("a", 3 * HOP, HOP), ("b", 5 * HOP, HOP)]))
    first, second = make_cues(
        p, Memory(a=noise(9 * HOP), b=noise(9 * HOP, 1)), crossfade=CrossfadeOptions.plain(10.0)
    )
    assert first.fade_out == second.fade_in == 440
    assert second.at_sample == HOP - 220
    assert second.lead == 220
    assert first.at_sample + first.n_samples == HOP + 220


def test_gain_stays_the_step_s():
    p = plan([Step(0, "a", HOP, HOP, 0, gain_db=-6.0), Step(1, "a", 5 * HOP, HOP, HOP)])
    cues = make_cues(p, Memory(a=noise(9 * HOP)), crossfade=CrossfadeOptions(level_db=0))
    assert cues[0].step.gain_db == -6.0
    assert max(gain for _, gain in cues[0].envelope) < 2.4
    assert play(cues, {"a": noise(9 * HOP)}, p.n_samples)[HOP // 4] == pytest.approx(
        noise(9 * HOP)[HOP + HOP // 4] * 0.501, rel=0.01
    )


def test_for_players_a_stretched_run_is_one_cue():
    pytest.importorskip("python_stretch")
    how = {"stretch": 2.0, "gain_db": -1.0}
    steps = [
        Step(0, "b", 0, HOP, 0),
        *(Step(i, "a", (3 + i) * HOP // 2, HOP, i * HOP, **how) for i in range(1, 4)),
        Step(4, "b", 5 * HOP, HOP, 4 * HOP),
        Step(5, "b", 6 * HOP, HOP, 5 * HOP),
    ]
    p = plan(steps)
    cues = make_cues(p, Memory(a=noise(9 * HOP), b=noise(9 * HOP, 1, 0.1)), crossfade=MATCHED)
    joined = join_cues(cues)
    assert [cue.number for cue in joined] == [0, 1, 4, 5]
    run = joined[1]
    assert run.step == replace(steps[1], n_samples=3 * HOP)
    assert (run.at_sample, run.lead, run.fade_in) == (
        cues[1].at_sample,
        cues[1].lead,
        cues[1].fade_in,
    )
    assert run.at_sample + run.n_samples == cues[3].at_sample + cues[3].n_samples
    assert run.fade_out == cues[3].fade_out > 0
    offset = cues[3].at_sample - run.at_sample
    assert run.envelope[-1] == (cues[3].envelope[-1][0] + offset, cues[3].envelope[-1][1])
    assert [joined[0], *joined[2:]] == [cues[0], *cues[4:]]


def test_for_players_the_gain_of_a_stretched_run_glides_in_its_envelope():
    pytest.importorskip("python_stretch")
    steps = [
        Step(i, "a", (3 + i) * HOP, 2 * HOP, 2 * i * HOP, stretch=2.0, gain_db=gain, ramp=i > 0)
        for i, gain in enumerate((-6.0, -26.0, -26.0))
    ]
    cues = make_cues(plan(steps), Memory(a=noise(9 * HOP)), crossfade=CrossfadeOptions.plain(0.0))
    (run,) = join_cues(cues)
    assert run.step == replace(steps[0], n_samples=6 * HOP)
    course = np.interp(np.arange(6 * HOP), *zip(*run.envelope, strict=True))
    wanted = np.interp(np.arange(6 * HOP) + 0.5, [2 * HOP - 512, 2 * HOP + 512], [1, 0.1])
    np.testing.assert_allclose(course, wanted, rtol=1e-6)
