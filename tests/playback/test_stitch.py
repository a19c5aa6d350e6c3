"""What must always hold of a plan's audio, with plain fades and with all that crossfades do.

The first five tests are about faults of the original Demiurge: a unit that played more than its
samples, a whole of another length than its units, a short last unit, positions that were not exact
to the sample, and files read, and samples kept in memory, again and again.
"""

import tracemalloc
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import soundfile as sf
from hypothesis import given, settings
from hypothesis import strategies as st

from demiurge.bundled import CORPUS_DIR
from files.errors import ParameterError
from playback.joins import make_joins
from playback.options import CrossfadeOptions
from playback.plan import Step
from playback.run_audio import RunAudio
from playback.runs import join_runs
from playback.stitch import stitch
from tests.playback.drawn_plans import CROSSFADES, NAMES, SOUND, drawn_plans
from tests.playback.sounds import HOP, RATE, Memory, noise, plan, played, units

PLAIN = CrossfadeOptions.plain(22.0)
USUAL = CrossfadeOptions()
BOTH = pytest.mark.parametrize("crossfade", [PLAIN, USUAL], ids=["plain", "usual"])


@BOTH
def test_first_unit_of_a_source_plays_its_samples_and_no_more(crossfade):
    a = noise(10 * RATE)
    out = played(
        plan(units([("a", 0, HOP)])), Memory(a=a), crossfade=replace(crossfade, crossfade_ms=0.0)
    )
    np.testing.assert_array_equal(out[:, 0], a[:HOP])


@settings(deadline=None, max_examples=80)
@given(
    starts=st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 39)), min_size=1, max_size=12),
    hop=st.sampled_from([1, 2, 63, 100, 256, 1024]),
    crossfade_ms=st.sampled_from([0.0, 0.01, 1.0, 22.0, 500.0]),
    usual=st.booleans(),
)
def test_n_units_of_h_samples_give_exactly_n_h_samples(starts, hop, crossfade_ms, usual):
    sound = Memory(a=noise(40 * hop), b=noise(40 * hop, 1))
    spans = [(source, number * hop, hop) for source, number in starts]
    crossfade = replace(USUAL if usual else PLAIN, crossfade_ms=crossfade_ms)
    out = played(plan(units(spans, hop)), sound, crossfade=crossfade)
    assert out.shape == (len(starts) * hop, 1)
    assert (
        np.abs(out).max() <= 0.3 * np.sqrt(2) * 10 ** (6 / 20) + 1e-6
    )  # equal power; a quiet side is raised by 6 dB at most


@settings(deadline=None, max_examples=60)
@given(
    tail=st.integers(1, HOP),
    crossfade_ms=st.sampled_from([0.0, 5.0, 22.0, 60.0]),
    usual=st.booleans(),
)
def test_last_unit_of_any_length_plays(tail, crossfade_ms, usual):
    a = noise(3 * HOP + tail)
    b = noise(4 * HOP, 1)
    steps = [
        Step(0, "b", HOP, HOP, 0),
        Step(1, "a", 3 * HOP, tail, HOP),
        Step(2, "b", 0, HOP, HOP + tail),
    ]
    crossfade = replace(USUAL if usual else PLAIN, crossfade_ms=crossfade_ms)
    assert len(played(plan(steps), Memory(a=a, b=b), crossfade=crossfade)) == 2 * HOP + tail


@settings(deadline=None, max_examples=60)
@given(start=st.integers(0, 5000), length=st.integers(1, 3000), at=st.integers(0, 3000))
def test_positions_are_exact_to_the_sample(start, length, at):
    a = np.arange(1, 8001, dtype=np.float32) / 8001
    out = played(
        plan([Step(0, "a", start, length, at)]), Memory(a=a), crossfade=CrossfadeOptions.plain(0.0)
    )
    np.testing.assert_array_equal(out[:at], 0)
    np.testing.assert_array_equal(out[at:, 0], a[start : start + length])


@BOTH
def test_each_sample_is_read_a_few_times_at_most_and_memory_stays_flat(crossfade):
    class Counting(Memory):
        n_read = 0

        def read_into(self, out, source, start):
            self.n_read += len(out)
            super().read_into(out, source, start)

    rng = np.random.default_rng(0)
    sound = Counting(a=noise(400 * HOP))
    peaks = []
    for n_steps in (400, 4400):
        sound.n_read = 0
        steps = units([("a", int(i) * HOP, HOP) for i in rng.integers(399, size=n_steps)])
        tracemalloc.start()
        for _ in stitch(plan(steps), sound, crossfade=crossfade, batch_values=1 << 16):
            pass
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert sound.n_read <= 4 * n_steps * HOP
    assert (
        peaks[1] < peaks[0] + 4000 * 1000
    )  # the runs' bookkeeping, a batch more or less; 4000 more hops would be 16 MB


@settings(deadline=None, max_examples=60)
@given(
    spans=st.lists(
        st.tuples(st.sampled_from("ab"), st.integers(0, 20000), st.integers(1, 6000)),
        min_size=1,
        max_size=8,
    ),
    gaps=st.lists(st.sampled_from([0, 0, 0, 1, 50, 5000]), min_size=8, max_size=8),
    tail=st.integers(0, 100),
)
def test_any_plan_is_as_long_as_it_says_and_silent_where_nothing_is_planned(spans, gaps, tail):
    steps = []
    at = 0
    for (source, start, n), gap in zip(spans, gaps, strict=False):
        steps.append(Step(0, source, start, n, at + gap))
        at += gap + n
    p = plan(steps, tail_samples=tail)
    out = played(p, Memory(a=noise(26000), b=noise(26000, 1)))
    assert len(out) == at + tail
    for before, after in pairwise([Step(0, "", 0, 1, -1), *steps]):
        assert not out[before.until_sample : after.at_sample].any()
    assert not out[at:].any()


@BOTH
def test_constant_in_constant_out(crossfade):
    sound = Memory(a=np.full(60 * HOP, 0.4), b=np.full(60 * HOP, 0.4))
    p = plan(units([("ab"[i % 2], (7 * i + 3) % 50 * HOP, HOP) for i in range(20)]))
    out = played(p, sound, crossfade=replace(crossfade, fade="matched"))
    np.testing.assert_allclose(out[70:-70], 0.4, atol=1e-6)  # beside silence it fades


@BOTH
def test_adjacent_units_are_bit_exact(crossfade, tabla):
    spans = [("a", i * HOP, min(HOP, len(tabla) - i * HOP)) for i in range(44)]
    np.testing.assert_array_equal(
        played(plan(units(spans)), Memory(a=tabla), crossfade=crossfade)[:, 0], tabla
    )


@BOTH
def test_adjacent_units_are_bit_exact_but_for_the_surroundings_of_a_join(crossfade, tabla):
    spans = [("a", i * HOP, HOP) for i in range(20)] + [("b", i * HOP, HOP) for i in range(20)]
    out = played(plan(units(spans)), Memory(a=tabla, b=tabla[::-1]), crossfade=crossfade)[:, 0]
    np.testing.assert_array_equal(out[: 19 * HOP], tabla[: 19 * HOP])
    np.testing.assert_array_equal(out[21 * HOP : -70], tabla[::-1][HOP : 20 * HOP - 70])


def palindrome(n, seed):
    half = noise(n // 2, seed)
    return np.concatenate([half, half[::-1]])


@settings(deadline=None, max_examples=30)
@given(
    starts=st.lists(st.integers(1, 30), min_size=2, max_size=6),
    align_ms=st.sampled_from([0.0, 5.0]),
)
def test_time_reversed_plan_of_reversed_sources_is_the_result_reversed(starts, align_ms):
    crossfade = replace(USUAL, attacks=False, align_ms=align_ms)  # an attack has a direction
    sources = {"a": noise(32 * HOP), "b": noise(32 * HOP, 1)}
    spans = [("ab"[i % 2], start * HOP, HOP) for i, start in enumerate(starts)]
    mirrored = [(source, 32 * HOP - start - n, n) for source, start, n in reversed(spans)]
    out = played(plan(units(spans)), Memory(**sources), crossfade=crossfade)
    back = played(
        plan(units(mirrored)),
        Memory(**{name: a[::-1] for name, a in sources.items()}),
        crossfade=crossfade,
    )
    np.testing.assert_allclose(back[::-1], out, atol=2e-6)


def test_symmetric_plan_of_symmetric_sources_sounds_the_same_backwards():
    sound = Memory(a=palindrome(8 * HOP, 0), b=palindrome(8 * HOP, 1))
    spans = [("a", 4 * HOP, HOP), ("b", 3 * HOP, 2 * HOP), ("a", 3 * HOP, HOP)]
    steps = []
    at = 0
    for source, start, n in spans:
        steps.append(Step(0, source, start, n, at))
        at += n
    out = played(plan(steps), sound, crossfade=replace(USUAL, attacks=False, align_ms=0.0))
    np.testing.assert_allclose(out[::-1], out, atol=1e-6)


def test_stereo_equals_two_monos_with_plain_fades():
    left = noise(20 * HOP, 0)
    right = noise(20 * HOP, 1)
    steps = units([("a", i * 3 * HOP, HOP) for i in range(6)])
    stereo = played(plan(steps, 2), Memory(a=np.stack([left, right], axis=1)), crossfade=PLAIN)
    for channel, samples in enumerate((left, right)):
        np.testing.assert_array_equal(
            stereo[:, channel], played(plan(steps), Memory(a=samples), crossfade=PLAIN)[:, 0]
        )


@pytest.mark.parametrize("channels", [2, 3, 8])
def test_channels_that_are_alike_sound_as_one_does(channels, tabla):
    """A crossfade is decided for all channels together, so that the image does not move."""
    steps = units([("a", start * HOP, HOP) for start in (1, 20, 7, 33, 2)])
    many = played(plan(steps, channels), Memory(a=np.repeat(tabla[:, None], channels, axis=1)))
    one = played(plan(steps), Memory(a=tabla))
    np.testing.assert_allclose(many, np.repeat(one, channels, axis=1), atol=1e-6)


@BOTH
@pytest.mark.parametrize("block", [37, 1000, 1 << 17])
def test_block_size_does_not_change_the_samples(block, crossfade):
    sound = Memory(a=noise(60 * HOP), b=noise(60 * HOP, 1))
    p = plan(
        [
            Step(0, "a", 100, 20 * HOP, 50),
            Step(1, "b", 7, 9 * HOP, 20 * HOP + 50),
            Step(2, "b", 5, 99, 40 * HOP),
        ]
    )
    expected = played(p, sound, crossfade=crossfade)
    found = played(p, sound, crossfade=crossfade, block_samples=block)
    np.testing.assert_array_equal(found, expected)


@BOTH
@pytest.mark.parametrize("values", [1, 20_000])
def test_how_many_joins_are_made_at_once_does_not_change_the_samples(values, crossfade):
    sound = Memory(a=noise(60 * HOP), b=noise(60 * HOP, 1))
    p = plan(units([("ab"[i % 2], (7 * i + 3) % 50 * HOP, HOP) for i in range(40)]))
    expected = played(p, sound, crossfade=crossfade)
    found = played(p, sound, crossfade=crossfade, batch_values=values)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("channels", [1, 2])
def test_long_crossfades_are_made_alone_as_among_others(channels):
    """How sums are rounded depends on how numpy takes a batch of one, which it does in pieces of
    8192.
    """
    starts = np.random.default_rng(1).integers(RATE, size=12)
    p = plan(
        [Step(i, NAMES[i % 3], int(s), 12_000, i * 12_000) for i, s in enumerate(starts)], channels
    )
    crossfade = CrossfadeOptions(200.0)
    expected = played(p, SOUND[channels], crossfade=crossfade)
    found = played(p, SOUND[channels], crossfade=crossfade, batch_values=1)
    np.testing.assert_array_equal(found, expected)


def test_another_unit_changes_nothing_but_its_surroundings():
    sound = Memory(a=noise(60 * HOP), b=noise(60 * HOP, 1))
    steps = units([("ab"[i % 2], (7 * i + 3) % 50 * HOP, HOP) for i in range(40)])
    out = played(plan(steps), sound)
    steps[20] = replace(steps[20], start_sample=11 * HOP)
    other = played(plan(steps), sound)
    changed = np.flatnonzero((out != other).any(axis=1))
    assert changed.min() >= 19 * HOP
    assert changed.max() < 22 * HOP


def test_parts_of_all_sources_add_up_to_the_whole():
    sound = Memory(a=noise(60 * HOP), b=noise(60 * HOP, 1), c=noise(60 * HOP, 2))
    steps = [
        *units([("abc"[i % 3], (7 * i + 3) % 50 * HOP, HOP) for i in range(20)]),
        Step(0, "b", 99, 5000, 22 * HOP),
    ]
    parts = [played(plan(steps), sound, only=source) for source in "abc"]
    np.testing.assert_allclose(sum(parts), played(plan(steps), sound), atol=1e-6)
    assert not parts[0][21 * HOP :].any()


def test_uncorrelated_crossfade_keeps_its_power():
    sound = Memory(a=noise(400 * HOP, 0), b=noise(400 * HOP, 1))
    for crossfade in (PLAIN, USUAL):
        out = played(
            plan(units([("ab"[i % 2], i * HOP, HOP) for i in range(300)])),
            sound,
            crossfade=crossfade,
        )
        around = np.concatenate([out[i * HOP - 200 : i * HOP + 200] for i in range(1, 300)])
        assert np.mean(around**2) == pytest.approx(0.3**2 / 3, rel=0.04)


@BOTH
def test_crossfade_does_not_jump_more_than_the_sources_do(crossfade):
    t = np.arange(40 * HOP)
    a = 0.4 * np.sin(t * 0.05)
    b = 0.4 * np.sin(t * 0.031 + 1)
    p = plan(units([("ab"[i % 2], (3 * i + 1) * HOP, HOP) for i in range(10)]))
    largest = max(np.abs(np.diff(a)).max(), np.abs(np.diff(b)).max())
    assert (
        np.abs(np.diff(played(p, Memory(a=a, b=b), crossfade=crossfade)[:, 0])).max()
        < 1.5 * largest
    )
    assert (
        np.abs(
            np.diff(played(p, Memory(a=a, b=b), crossfade=CrossfadeOptions.plain(0.0))[:, 0])
        ).max()
        > 0.1
    )


def test_units_keep_their_time_inside_a_crossfade():
    a = np.zeros(8 * HOP, np.float32)
    b = np.zeros(8 * HOP, np.float32)
    b[4 * HOP + 700] = 0.5  # after the overlap of the unit that starts at 4 hops
    p = plan(units([("a", 0, HOP), ("b", 4 * HOP, HOP), ("a", 0, HOP)]))
    for crossfade in (CrossfadeOptions.plain(10.0), USUAL):
        out = played(p, Memory(a=a, b=b), crossfade=crossfade)
        assert np.flatnonzero(out).tolist() == [HOP + 700]
    assert played(p, Memory(a=a, b=b), crossfade=CrossfadeOptions.plain(10.0))[HOP + 700, 0] == 0.5


@BOTH
def test_gap_is_silence_and_its_edges_are_faded(crossfade):
    sound = Memory(a=np.full(10 * HOP, 0.5))
    out = played(
        plan([Step(0, "a", HOP, HOP, 0), Step(1, "a", 5 * HOP, HOP, 3 * HOP)]),
        sound,
        crossfade=crossfade,
    )[:, 0]
    assert len(out) == 4 * HOP
    assert not out[HOP : 3 * HOP].any()
    assert abs(out[HOP - 1]) < 0.02
    assert abs(out[3 * HOP]) < 0.02
    assert out[HOP // 2] == 0.5


@BOTH
def test_a_source_s_own_beginning_and_end_are_not_faded(crossfade):
    sound = Memory(a=np.full(2 * HOP, 0.5))
    np.testing.assert_array_equal(
        played(plan(units([("a", 0, HOP), ("a", HOP, HOP)])), sound, crossfade=crossfade), 0.5
    )


@BOTH
def test_sources_cut_off_high_do_not_click_beside_each_other(crossfade):
    t = np.arange(4 * HOP)
    sound = Memory(a=0.4 * np.cos(t * 0.02), b=-0.4 * np.cos(t * 0.02))
    out = played(
        plan([Step(0, "a", 0, 4 * HOP, 0), Step(1, "b", 0, 4 * HOP, 4 * HOP)]),
        sound,
        crossfade=crossfade,
    )[:, 0]
    assert np.abs(np.diff(out)).max() < 0.06  # a fade of 22 samples; a hard cut jumps by 0.8
    np.testing.assert_array_equal(out[: 4 * HOP - 22], sound.sources["a"][:-22, 0])
    np.testing.assert_array_equal(out[4 * HOP + 22 :], sound.sources["b"][22:, 0])
    assert (out[0], out[-1]) == (sound.sources["a"][0, 0], sound.sources["b"][-1, 0])


@BOTH
def test_loud_crossfade_stays_within_full_scale(crossfade):
    sound = Memory(
        a=np.full(9 * HOP, 0.9),
        b=np.full(9 * HOP, 0.95),
        c=noise(9 * HOP, level=1.0),
        d=noise(9 * HOP, 1, 1.0),
    )
    for spans in ([("a", HOP, HOP), ("b", 3 * HOP, HOP)], [("c", HOP, HOP), ("d", 3 * HOP, HOP)]):
        assert np.abs(played(plan(units(spans)), sound, crossfade=crossfade)).max() <= 1


def test_gain_is_applied_and_makes_a_join():
    steps = [Step(0, "a", 0, HOP, 0), Step(1, "a", HOP, HOP, HOP, gain_db=-20.0)]
    out = played(plan(steps), Memory(a=np.full(2 * HOP, 0.5)))
    assert out[0, 0] == 0.5
    assert out[-1, 0] == pytest.approx(0.05)


@pytest.mark.parametrize("crossfade_ms", [0.0, 60.0, 5000.0])
def test_units_of_one_sample_and_of_minutes_side_by_side(crossfade_ms):
    steps = []
    at = 0
    for i, n in enumerate([1, 1, 90 * RATE, 1, 2, 3, 700]):
        steps.append(Step(i, "ab"[i % 2], 500 + 37 * i, n, at))
        at += n
    sound = Memory(a=noise(95 * RATE), b=noise(95 * RATE, 1))
    out = played(plan(steps), sound, crossfade=replace(USUAL, crossfade_ms=crossfade_ms))
    assert len(out) == at
    np.testing.assert_array_equal(
        out[5 * RATE : 80 * RATE], sound.sources["a"][572 + 5 * RATE : 572 + 80 * RATE]
    )


@pytest.mark.parametrize("n", [1, 2, 20, 100, 500])
@pytest.mark.parametrize(
    "options", [{}, {"align_ms": 0.0}, {"align_ms": 1000.0}, {"crossfade_ms": 0.0}]
)
def test_short_units_whose_attacks_are_faded_play(n, options):
    p = plan(units([("ab"[i % 2], 3000 + 7 * i, n) for i in range(5)], n))
    sound = Memory(a=noise(9000), b=noise(9000, 1))
    assert len(played(p, sound, crossfade=replace(USUAL, attacks=False, **options))) == 5 * n


@pytest.mark.parametrize(("stretch", "n_made"), [(1.0, 20), (2.0, 3)])
def test_few_transformed_units_are_in_memory_at_once(monkeypatch, stretch, n_made):
    pytest.importorskip("python_stretch")
    made = []

    def make(*given):
        made.append(given)
        return RunAudio(*given)

    monkeypatch.setattr("playback.joins.RunAudio", make)
    p = plan(
        replace(step, stretch=stretch)
        for step in units([("a", RATE * (3 * i % 20) // 2, RATE) for i in range(20)], RATE)
    )
    joins = make_joins(
        p,
        Memory(a=noise(12 * RATE)),
        join_runs(p.steps),
        crossfade=USUAL,
        batch_values=3 * RATE,  # three of these units
    )
    next(joins)
    assert len(made) == n_made


@settings(deadline=None, max_examples=20)
@given(attack=st.integers(-40, 500), quiet=st.floats(0.0, 0.02), seed=st.integers(0, 5))
def test_attack_at_the_start_of_a_unit_is_untouched(attack, quiet, seed):
    """Whatever went before: from the attack on the incoming sound is as it was."""
    a = noise(20 * HOP, seed)
    b = noise(20 * HOP, seed + 1, quiet)
    at = 8 * HOP + attack
    b[at:] += noise(20 * HOP - at, seed + 2, 0.5) * np.exp(-np.arange(20 * HOP - at) / 4000).astype(
        np.float32
    )
    steps = [Step(0, "a", HOP, 4 * HOP, 0), Step(1, "b", 8 * HOP, 4 * HOP, 4 * HOP)]
    out = played(plan(steps), Memory(a=a, b=b))[:, 0]
    np.testing.assert_array_equal(out[4 * HOP + attack + 8 : 7 * HOP], b[at + 8 : 11 * HOP])


def test_attack_behind_the_end_of_the_outgoing_unit_is_not_heard():
    a = noise(20 * HOP, 0, 0.01)
    b = noise(20 * HOP, 1, 0.01)
    a[5 * HOP + 100 :] += noise(15 * HOP - 100, 2, 0.9)  # 2 ms behind its unit's end
    steps = [Step(0, "a", HOP, 4 * HOP, 0), Step(1, "b", 8 * HOP, 4 * HOP, 4 * HOP)]
    assert np.abs(played(plan(steps), Memory(a=a, b=b))).max() < 0.05
    assert np.abs(played(plan(steps), Memory(a=a, b=b), crossfade=PLAIN)).max() > 0.2


def test_real_units_with_everything_on_rise_as_in_their_sources():
    kick = sf.read(next(CORPUS_DIR.glob("bd_haus.ogg")), dtype="float32", always_2d=True)[0].mean(
        axis=1
    )
    pad = sf.read(next(CORPUS_DIR.glob("ambi_lunar_land.ogg")), dtype="float32", always_2d=True)[
        0
    ].mean(axis=1)
    kick = np.concatenate([np.zeros(RATE // 10, np.float32), kick])
    n = 6000
    start = RATE // 10 - 60
    steps = [Step(0, "pad", RATE, RATE // 2, 0), Step(1, "kick", start, n, RATE // 2)]
    out = played(plan(steps), Memory(pad=pad, kick=kick))[:, 0]
    np.testing.assert_array_equal(out[RATE // 2 + 60 :][:3000], kick[start + 60 :][:3000])


# A part of the whole


def part(plan, sound, **options):
    """Stitched from `start` to `stop`, also where that is nothing."""
    return np.concatenate(
        [np.empty((0, plan.channels), np.float32), *stitch(plan, sound, **options)]
    )


@settings(deadline=None, max_examples=50)
@given(drawn_plans(), CROSSFADES, st.data())
def test_a_part_has_the_samples_of_the_whole(drawn, crossfade, data):
    only = data.draw(st.sampled_from([None, drawn.steps[0].source]))
    whole = played(drawn, SOUND[drawn.channels], crossfade=crossfade, only=only)
    edges = st.sampled_from(
        [edge for step in drawn.steps for edge in (step.at_sample, step.until_sample)]
    )
    places = edges | st.integers(0, drawn.n_samples)
    for _ in range(4):
        start, stop = sorted((data.draw(places), data.draw(places)))
        found = part(
            drawn, SOUND[drawn.channels], crossfade=crossfade, only=only, start=start, stop=stop
        )
        assert found.shape == (stop - start, drawn.channels)
        assert found.tobytes() == whole[start:stop].tobytes()


@settings(deadline=None, max_examples=15)
@given(drawn_plans(), CROSSFADES, st.data())
def test_parts_side_by_side_are_the_whole(drawn, crossfade, data):
    cuts = sorted(data.draw(st.lists(st.integers(0, drawn.n_samples), max_size=6)))
    parts = [
        part(drawn, SOUND[drawn.channels], crossfade=crossfade, start=start, stop=stop)
        for start, stop in pairwise([0, *cuts, drawn.n_samples])
    ]
    assert (
        np.concatenate(parts).tobytes()
        == played(drawn, SOUND[drawn.channels], crossfade=crossfade).tobytes()
    )


@BOTH
def test_a_part_of_many_joins_has_the_samples_of_the_whole(crossfade):
    """They are made in other batches than those of the whole."""
    starts = np.random.default_rng(3).integers(60, size=400)
    p = plan(
        [
            Step(i, ("ambi_choir", "loop_amen")[i % 2], int(s) * HOP, HOP, i * HOP)
            for i, s in enumerate(starts)
        ],
        2,
    )
    whole = played(p, SOUND[2], crossfade=crossfade)
    for start, stop in (
        (0, 5 * HOP),
        (150 * HOP + 7, 390 * HOP),
        (399 * HOP + 1, 400 * HOP),
        (77, 400 * HOP - 77),
    ):
        np.testing.assert_array_equal(
            part(p, SOUND[2], crossfade=crossfade, start=start, stop=stop), whole[start:stop]
        )


def test_a_part_costs_what_it_holds():
    """However long the plan: its own samples, and what its crossfades need around it."""

    class Counting(Memory):
        n_read = 0

        def read_into(self, out, source, start):
            self.n_read += len(out)
            super().read_into(out, source, start)

    sound = Counting(a=noise(400 * HOP))
    long = [Step(i, "a", 0, 390 * HOP, i * 390 * HOP, gain_db=-float(i)) for i in range(9)]
    assert part(plan(long), sound, start=1700 * HOP, stop=1710 * HOP).any()
    assert (
        sound.n_read < 10 * HOP + 3 * 2 * 2 * 1600
    )  # both ends of three units, read for 1600 samples either way
    frames = units(
        [("a", int(i) * HOP, HOP) for i in np.random.default_rng(0).integers(399, size=2000)]
    )
    sound.n_read = 0
    part(plan(frames), sound, start=1000 * HOP, stop=1010 * HOP)
    assert sound.n_read < 4 * 14 * HOP


def test_what_lies_in_a_rest_or_behind_the_last_step_is_silence():
    p = plan([Step(0, "a", 0, HOP, HOP), Step(1, "a", 5 * HOP, HOP, 4 * HOP)], tail_samples=3 * HOP)
    for start, stop in (
        (0, HOP),
        (10, 20),
        (2 * HOP, 4 * HOP),
        (5 * HOP, 8 * HOP),
        (6 * HOP, 7 * HOP),
        (8 * HOP, 8 * HOP),
    ):
        np.testing.assert_array_equal(
            part(p, Memory(a=noise(9 * HOP)), start=start, stop=stop), np.zeros((stop - start, 1))
        )


@pytest.mark.parametrize(
    ("start", "stop"), [(-1, 5), (6, 5), (0, 2 * HOP + 1), (2 * HOP + 1, None)]
)
def test_a_part_that_is_not_there_is_refused(start, stop):
    p = plan(units([("a", 0, HOP), ("a", 3 * HOP, HOP)]))
    with pytest.raises(
        ParameterError,
        match=f"start={start}, stop=.* must be in order, and within the plan's 0 to 2048",
    ):
        part(p, Memory(a=noise(9 * HOP)), start=start, stop=stop)
