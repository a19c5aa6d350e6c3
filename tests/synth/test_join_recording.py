"""Generated audio in a recording: what stays, where it is moved to, and how it fades."""

import numpy as np
import pytest

from synth.join_recording import (
    FADE_SECONDS,
    LARGEST_LAG_SECONDS,
    reach_samples,
    replace_span,
)

RATE = 22050
FADE = round(FADE_SECONDS * RATE)
LARGEST_LAG = round(LARGEST_LAG_SECONDS * RATE)
REACH = reach_samples(RATE)


def noise(n_samples, seed=0):
    return np.random.default_rng(seed).normal(0, 0.1, n_samples).astype(np.float32)


def tone(n_samples, hertz, phase=0.0):
    return (0.5 * np.sin(2 * np.pi * hertz * np.arange(n_samples) / RATE + phase)).astype(
        np.float32
    )


def fill(recording, generated, start, stop, first=0):
    return replace_span(recording, generated, first=first, start=start, stop=stop, sample_rate=RATE)


@pytest.mark.parametrize(("start", "stop"), [(8000, 15000), (0, 9000), (9000, 20000), (5, 40)])
def test_samples_outside_the_span_are_those_of_the_recording(start, stop):
    recording = noise(20_000)
    joined = fill(recording, noise(20_000, 1), start, stop)
    assert joined.shape == recording.shape
    np.testing.assert_array_equal(joined[:start], recording[:start])
    np.testing.assert_array_equal(joined[stop:], recording[stop:])


def test_inside_the_span_nothing_but_the_crossfades_is_of_the_recording():
    joined = fill(noise(20_000), np.zeros(20_000, np.float32), 8000, 15_000)
    assert not joined[8000 + FADE : 15_000 - FADE].any()
    assert joined[8000 : 8000 + FADE // 2].any()
    assert joined[15_000 - FADE // 2 : 15_000].any()


def test_a_span_beyond_the_end_makes_the_recording_longer():
    recording = noise(20_000)
    joined = fill(recording, noise(40_000, 1), 20_000 - FADE, 31_000)
    assert len(joined) == 31_000
    np.testing.assert_array_equal(joined[: 20_000 - FADE], recording[: 20_000 - FADE])
    assert joined[30_000:].any()


@pytest.mark.parametrize("lag", [0, 1, -1, 37, -200, LARGEST_LAG, -LARGEST_LAG])
def test_sound_that_is_displaced_by_less_than_a_period_is_moved_back(lag):
    sound = noise(30_000)
    generated = np.roll(sound, lag)[5000:25_000]
    joined = fill(sound, generated, 10_000, 20_000, first=5000)
    np.testing.assert_allclose(joined, sound, atol=1e-6)


@pytest.mark.parametrize("hertz", [55, 110, 440, 3000])
def test_a_tone_of_another_phase_goes_on_at_its_level(hertz):
    recording = tone(RATE, hertz)
    joined = fill(recording, tone(3 * RATE, hertz, phase=2.0), RATE - FADE, 2 * RATE)
    steps = np.abs(np.diff(recording)).max()
    assert np.abs(np.diff(joined)).max() < 1.1 * steps
    around = joined[RATE - 2 * FADE : RATE + 2 * FADE]
    period = min(RATE // hertz, len(around))
    powers = np.convolve(np.square(around), np.ones(period) / period, mode="valid")
    assert 0.1 < powers.min() <= powers.max() < 0.15  # 0.125 is the tone's


def test_sounds_that_do_not_agree_keep_their_power():
    powers = []
    for seed in range(200):
        joined = fill(noise(3000, seed), noise(6000, seed + 1000), 3000 - FADE, 5000)
        powers.append(np.square(joined[3000 - FADE : 3000]))
    power = np.mean(powers, axis=0).reshape(10, -1).mean(1) / 0.01
    assert 0.8 < power.min() <= power.max() < 1.2


def test_generated_sound_that_ends_with_the_span_is_joined_all_the_same():
    recording = noise(20_000)
    joined = fill(recording, noise(9000, 1), 8000, 15_000, first=6000)
    assert np.isfinite(joined).all()
    assert joined[8000 + FADE : 15_000 - FADE].all()


def test_silence_joins_silence():
    silence = np.zeros(5000, np.float32)
    assert not fill(silence, silence, 1000, 3000).any()


def test_sum_of_two_loud_sounds_stays_within_full_scale():
    loud = np.full(5000, 0.999, np.float32)
    assert np.abs(fill(loud, -loud, 1000, 3000)).max() <= np.float32(0.999)
    assert REACH == 882


def test_channels_are_moved_alike_and_stay_what_they_are():
    sound = np.stack([noise(30_000), noise(30_000, 1)])
    generated = np.roll(sound, 37, axis=1)
    joined = fill(sound, generated, 8000, 15_000)
    np.testing.assert_allclose(joined, sound, atol=1e-6)
    one = fill(sound[:1], generated[:1], 8000, 15_000)
    np.testing.assert_array_equal(one[0], fill(sound[0], generated[0], 8000, 15_000))
