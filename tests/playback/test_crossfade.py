import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from files.errors import ParameterError, PlanError
from playback.crossfade import cross
from playback.gains import gains, level_ramps
from playback.options import CrossfadeOptions
from playback.overlaps import Limits, plan_overlaps
from tests.playback.sounds import RATE, noise

REACH = 2048


def limits(n, left=1500, right=1500, first=-1500, last=1500, fade_out=64, fade_in=64):
    return Limits(*(np.full(n, value) for value in (left, right, first, last, fade_out, fade_in)))


def side(samples):
    return np.asarray(samples, np.float32).reshape(1, 2 * REACH, 1)


def overlaps_of(out, into, crossfade=None, **given):
    return plan_overlaps(
        side(out),
        side(into),
        limits(1, **given),
        options=crossfade or CrossfadeOptions(),
        sample_rate=RATE,
    )


@settings(deadline=None, max_examples=10)
@given(likeness=st.floats(0, 1), seed=st.integers(0, 1000))
def test_matched_fade_keeps_the_power_of_sounds_that_are_so_much_alike(likeness, seed):
    rng = np.random.default_rng(seed)
    common, a, b = rng.normal(size=(3, 400, 2 * REACH, 1))
    out, into = (np.sqrt(likeness) * common + np.sqrt(1 - likeness) * own for own in (a, b))
    crossfade = CrossfadeOptions(align_ms=0, attacks=False, level_db=0)
    mixed, overlaps = cross(
        0.05 * out.astype("f4"),
        0.05 * into.astype("f4"),
        limits(400),
        options=crossfade,
        sample_rate=RATE,
    )
    assert overlaps.likeness.mean() == pytest.approx(likeness, abs=0.03)
    power = (mixed**2).mean(axis=(0, 2)) / 0.05**2
    windows = power[: len(power) // 100 * 100].reshape(-1, 100).mean(axis=1)
    np.testing.assert_allclose(windows, 1, atol=0.05)


def test_alike_sounds_get_equal_gain_and_others_equal_power():
    x = noise(2 * REACH)
    same = overlaps_of(x, x)
    falling, rising = gains(same, same.extent, "matched")
    np.testing.assert_allclose(falling + rising, 1, atol=1e-6)
    other = overlaps_of(x, noise(2 * REACH, 1), CrossfadeOptions.plain(22))
    falling, rising = gains(other, other.extent, "equal-power")
    np.testing.assert_allclose(falling**2 + rising**2, 1, atol=1e-6)
    falling, rising = gains(other, other.extent, "linear")
    np.testing.assert_allclose(falling + rising, 1, atol=1e-6)


def test_plain_fade_is_in_the_middle_and_nothing_else_changes():
    a = noise(2 * REACH)
    b = noise(2 * REACH, 1)
    mixed, overlaps = cross(
        side(a), side(b), limits(1), options=CrossfadeOptions.plain(22), sample_rate=RATE
    )
    assert (overlaps.in_start[0], overlaps.in_length[0]) == (-485, 970)
    middle = overlaps.extent
    np.testing.assert_array_equal(mixed[0, : middle - 485, 0], a[REACH - middle : REACH - 485])
    np.testing.assert_array_equal(mixed[0, middle + 485 :, 0], b[REACH + 485 : REACH + middle])


def test_overlap_moves_to_where_the_waveforms_agree():
    """Both sides are one tone that is only there, in phase, 4 ms before the join; elsewhere
    they are apart.
    """
    t = np.arange(2 * REACH)
    tone = 0.3 * np.sin(t * 0.1)
    place = REACH - 176
    near = np.exp(-(((t - place) / 60.0) ** 2))
    a, b = (tone * near + noise(2 * REACH, seed, 0.15) for seed in (0, 1))
    crossfade = CrossfadeOptions(crossfade_ms=6, attacks=False, level_db=0)
    found = overlaps_of(a, b, crossfade)
    middle = found.in_start[0] + found.in_length[0] // 2
    assert -220 <= middle <= -64  # moving costs a little
    still = overlaps_of(
        a, b, CrossfadeOptions(crossfade_ms=6, attacks=False, level_db=0, align_ms=0)
    )
    assert still.in_start[0] + still.in_length[0] // 2 == 0
    assert found.likeness[0] > still.likeness[0] + 0.1


def test_overlap_stays_where_it_gains_nothing_by_moving():
    x = noise(2 * REACH)
    found = overlaps_of(x, x, CrossfadeOptions(crossfade_ms=6, attacks=False))
    assert found.in_start[0] + found.in_length[0] // 2 == 0


@pytest.mark.parametrize("align_ms", [1e-308, 5e-324])
def test_a_tiny_align_ms_is_as_none_and_overflows_nowhere(align_ms):
    a = noise(2 * REACH, 0)
    b = noise(2 * REACH, 1)
    with np.errstate(all="raise"):
        found = overlaps_of(a, b, CrossfadeOptions(align_ms=align_ms, attacks=False))
    assert found.in_start[0] + found.in_length[0] // 2 == 0


@settings(deadline=None, max_examples=60)
@given(
    first=st.integers(-1500, 0),
    last=st.integers(0, 1500),
    crossfade_ms=st.floats(0, 80),
    align_ms=st.floats(0, 10),
    seed=st.integers(0, 50),
    attack=st.integers(0, 2 * REACH - 1),
)
def test_overlap_lies_where_there_is_sound_on_both_sides(
    first, last, crossfade_ms, align_ms, seed, attack
):
    a = noise(2 * REACH, seed, 0.01)
    b = noise(2 * REACH, seed + 1, 0.01)
    b[attack:] *= 50
    found = overlaps_of(
        a, b, CrossfadeOptions(crossfade_ms, align_ms=align_ms), first=first, last=last
    )
    start = int(found.in_start[0])
    length = int(found.in_length[0])
    if (start, length) == (int(found.out_start[0]), int(found.out_length[0])) and length:
        assert first <= start
        assert start + length <= last
        assert length <= 2 * round(crossfade_ms * RATE / 2000)
    else:
        assert (start, int(found.out_start[0] + found.out_length[0])) == (0, 0)


def test_level_step_is_met_half_way_within_its_limit():
    for step_db, limit, met in ((6.0, 12.0, 6.0), (30.0, 12.0, 12.0), (-6.0, 3.0, -3.0)):
        a = noise(2 * REACH, 0, 0.2) * np.float32(10 ** (-max(step_db, 0) / 20))
        b = noise(2 * REACH, 1, 0.2) * np.float32(10 ** (min(step_db, 0) / 20))
        found = overlaps_of(a, b, CrossfadeOptions(attacks=False, level_db=limit))
        assert found.step_db[0] == pytest.approx(met, abs=0.5)
        assert found.extent == 1500
    assert overlaps_of(a, b, CrossfadeOptions(attacks=False, level_db=0)).step_db[0] == 0


def test_each_side_comes_half_the_step_towards_the_other_in_the_middle_of_the_overlap():
    a = noise(2 * REACH, 0, 0.1)
    b = noise(2 * REACH, 1, 0.2)
    found = overlaps_of(a, b, CrossfadeOptions(attacks=False, align_ms=0))
    out_level, in_level = level_ramps(found, found.extent)
    step = 10 ** (found.step_db[0] / 20)
    middle = found.extent
    assert out_level[0, middle] == pytest.approx(np.sqrt(step), rel=1e-3)
    assert in_level[0, middle] == pytest.approx(1 / np.sqrt(step), rel=1e-3)
    assert out_level[0, 0] == pytest.approx(1, abs=1e-3)
    assert in_level[0, -1] == pytest.approx(1, abs=1e-3)


def test_level_of_an_attack_or_of_silence_is_left_alone():
    a = noise(2 * REACH, 0, 0.01)
    b = noise(2 * REACH, 1, 0.01)
    b[REACH + 50 :] *= 60
    assert overlaps_of(a, b).step_db[0] == 0
    assert overlaps_of(np.zeros(2 * REACH), noise(2 * REACH)).step_db[0] == 0
    found = overlaps_of(
        noise(2 * REACH, 0, 1e-4), noise(2 * REACH, 0), CrossfadeOptions(attacks=False)
    )
    assert (found.step_db[0], found.likeness[0]) == (0, 0)


@pytest.mark.parametrize(
    ("attack_of", "at"), [("incoming", 0), ("incoming", 300), ("outgoing", 200), ("outgoing", -100)]
)
def test_fade_ends_before_an_attack_from_the_join_on(attack_of, at):
    a = noise(2 * REACH, 0, 0.005)
    b = noise(2 * REACH, 1, 0.005)
    (b if attack_of == "incoming" else a)[REACH + at :] *= 100
    found = overlaps_of(a, b)
    end = int(found.in_start[0] + found.in_length[0])
    assert at - 80 <= end <= at + 5
    assert overlaps_of(a, b, CrossfadeOptions(attacks=False)).in_length[0] == 2646


@pytest.mark.parametrize("attack_of", ["incoming", "outgoing"])
def test_fade_starts_after_an_attack_before_the_join(attack_of):
    a = noise(2 * REACH, 0, 0.005)
    b = noise(2 * REACH, 1, 0.005)
    (b if attack_of == "incoming" else a)[REACH - 500 :] *= 100
    assert -500 + 200 <= overlaps_of(a, b).in_start[0] <= -100


CUT = {"first": 0, "last": 0}  # no sound on both sides of the join


def fades(out, into, crossfade=None, **given):
    """Lengths in samples of the fades at a cut."""
    found = overlaps_of(out, into, crossfade, **{**CUT, **given})
    assert (found.out_start[0], found.in_start[0]) == (-found.out_length[0], 0)
    return int(found.out_length[0]), int(found.in_length[0])


def test_source_that_ends_or_starts_high_beside_another_sound_gets_a_short_fade():
    high = np.full(2 * REACH, 0.0031)
    low = np.full(2 * REACH, 0.0029)
    blink = round(0.0005 * RATE)
    ends = {"fade_out": 0, "fade_in": 0}  # neither source goes on
    assert fades(high, high, **ends) == (blink, blink)
    assert fades(high, low, **ends) == (blink, 0)
    assert fades(low, low, **ends) == (0, 0)
    assert fades(high, high, **ends, left=5, right=3) == (5, 3)  # units no longer than that
    assert fades(high, high, CrossfadeOptions.plain(0.0), **ends) == (0, 0)


def test_source_that_starts_high_beside_silence_is_untouched():
    high = np.full(2 * REACH, 0.5)
    assert fades(np.zeros(2 * REACH), high, left=0, fade_out=0, fade_in=0) == (0, 0)
    assert fades(high, np.zeros(2 * REACH), right=0, fade_out=0, fade_in=0) == (0, 0)


@pytest.mark.parametrize("at", [40, 70, 600])
def test_fade_in_of_a_cut_stays_before_an_attack(at):
    a = noise(2 * REACH, 0, 0.002)
    b = noise(2 * REACH, 1, 0.002)
    b[REACH + at :] += noise(REACH - at, 2, 0.5)
    assert min(at - 16, 64) <= fades(a, b)[1] <= min(at, 64)
    assert fades(a, b, CrossfadeOptions(attacks=False))[1] == 64


def test_bass_note_has_no_attacks():
    t = np.arange(2 * REACH)
    a, b = (0.3 * np.sin(2 * np.pi * f * t / RATE) for f in (41.2, 55.0))
    assert overlaps_of(a, b).in_length[0] == 2646


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"crossfade_ms": -1.0}, "crossfade_ms=-1.0 must be a number of 0 to 10000"),
        ({"crossfade_ms": 10_001}, "crossfade_ms=10001 must be a number of 0 to 10000"),
        ({"crossfade_ms": float("nan")}, "crossfade_ms=nan must be a number of 0 to 10000"),
        ({"align_ms": float("inf")}, "align_ms=inf must be a number of 0 to 1000"),
        ({"level_db": True}, "level_db=True must be a number of 0 to 60"),
        ({"level_db": 61}, "level_db=61 must be a number of 0 to 60"),
        ({"fade": "s-curve"}, "fade='s-curve' is unknown; known are matched, equal-power, linear"),
        ({"attacks": 1}, "attacks=1 must be true or false"),
    ],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(ParameterError, match=message):
        CrossfadeOptions(**options)
    with pytest.raises(PlanError, match=f'"settings": "crossfade": {message}'):
        CrossfadeOptions.of({"crossfade": options})


def test_settings_of_plans():
    assert CrossfadeOptions.of({}) == CrossfadeOptions()
    assert CrossfadeOptions.of({"crossfade": {"fade": "linear"}}) == CrossfadeOptions(fade="linear")
    assert CrossfadeOptions.of({"crossfade_ms": 10.0}) == CrossfadeOptions.plain(10.0)
    old = "seams"  # the key of 0.1.0
    assert CrossfadeOptions.of({old: {"fade": "linear"}}) == CrossfadeOptions(fade="linear")
    assert CrossfadeOptions.of({old: {}, "crossfade_ms": 10.0}) == CrossfadeOptions()
    with pytest.raises(
        PlanError,
        match="'shape' is unknown; known are crossfade_ms, fade, align_ms, attacks, level_db",
    ):
        CrossfadeOptions.of({"crossfade": {"shape": 1}})
    with pytest.raises(PlanError, match="3 is unknown"):
        CrossfadeOptions.of({"crossfade": 3})
