"""Parts of beats at a tempo that changes."""

import pytest

from demiurge.live.beat_clock import BeatClock

RATE = 48000


def clock_at(bpm=120, parts=4):
    clock = BeatClock(RATE, parts)
    clock.set_tempo(bpm, 0)
    return clock


def test_parts_of_beats():
    clock = clock_at()
    assert clock.part_samples == 6000
    assert [clock.nearest(at) for at in (0, 2999, 3001, 6000, 24000)] == [0, 0, 1, 1, 4]
    assert clock.end_after(5990) == 12000
    assert clock.part_in_beat(clock.nearest(30000)) == 1
    assert clock.beats(36000) == 1.5


@pytest.mark.parametrize(("before", "after"), [(120, 60), (120, 240), (97.3, 131.7)])
def test_a_new_tempo_keeps_the_phase(before, after):
    clock = clock_at(before)
    now = 100_000
    beats = clock.beats(now)
    clock.set_tempo(after, now)
    assert clock.beats(now) == pytest.approx(beats)
    later = now + 60 * RATE / after
    assert clock.beats(later) == pytest.approx(beats + 1)


def test_beats_that_are_heard_draw_the_clock_to_them():
    clock = clock_at()
    for number in range(1, 40):
        clock.follow(number * 24000 + 1500)
    assert clock.begin_of(4) % 24000 == pytest.approx(1500, abs=1)
    assert clock_at().begin_of(0) == 0


def test_a_beat_a_little_early_draws_it_back():
    clock = clock_at()
    clock.follow(24000 - 1000)
    assert clock.begin_of(0) == pytest.approx(-200)


def test_tempo_is_limited_and_ends():
    clock = clock_at(1000)
    assert clock.tempo == 400
    clock.set_tempo(0, 500)
    assert clock.tempo == 0
    clock.set_tempo(100, 700)
    assert clock.begin_of(0) == 700
