"""The tempo of ticks that come early, late, twice or not at all."""

import numpy as np
import pytest

from demiurge.live.midi_clock import SILENCE_S, TICKS_PER_BEAT, MidiClock

JITTER_S = 0.003
BEAT = TICKS_PER_BEAT


def steady(bpm: float, beats: int, start_s: float = 10.0) -> np.ndarray:
    return start_s + np.arange(BEAT * beats) * 60 / (BEAT * bpm)


def jittered(ticks: np.ndarray, seed: int = 0) -> np.ndarray:
    late = np.random.default_rng(seed).uniform(-JITTER_S, JITTER_S, len(ticks))
    return np.sort(ticks + late)


def tempos(ticks: np.ndarray) -> np.ndarray:
    """The tempo that is known after each tick."""
    clock = MidiClock()
    known = []
    for at_s in ticks:
        clock.tick(at_s)
        known.append(clock.bpm)
    return np.array(known)


@pytest.mark.parametrize("bpm", [20, 60, 120, 240, 400])
def test_exact_ticks_give_exact_tempo_after_half_a_beat(bpm):
    known = tempos(steady(bpm + 1e-6, 4) if bpm == 20 else steady(bpm - 1e-6, 4))
    assert known[BEAT // 2 :] == pytest.approx(bpm, abs=1e-3)


@pytest.mark.parametrize("bpm", [40, 90, 120, 174])
def test_jitter_of_3_ms_leaves_two_promille(bpm):
    known = np.concatenate([tempos(jittered(steady(bpm, 12), seed)) for seed in range(3)])
    known = known.reshape(3, -1)
    assert known[:, 2 * BEAT :] == pytest.approx(bpm, rel=0.013)
    errors = np.abs(known[:, 6 * BEAT :] / bpm - 1)
    assert np.quantile(errors, 0.95) < 0.002


@pytest.mark.parametrize("bpm", [60, 120, 174])
def test_missing_and_doubled_ticks_change_nothing(bpm):
    rng = np.random.default_rng(5)
    ticks = jittered(steady(bpm, 16))
    kept = ticks[rng.random(len(ticks)) > 0.03]
    doubled = ticks[rng.random(len(ticks)) < 0.03] + 0.001
    known = tempos(np.sort(np.concatenate([kept, doubled])))
    assert known[4 * BEAT :] == pytest.approx(bpm, rel=0.02)


def test_ticks_held_up_for_50_ms_change_little():
    ticks = jittered(steady(120, 12))
    held = (ticks > 13.0) & (ticks < 13.05)
    ticks[held] = 13.05
    assert tempos(ticks)[4 * BEAT :] == pytest.approx(120, rel=0.02)


@pytest.mark.parametrize(
    ("before", "after"), [(120, 60), (60, 120), (120, 126), (120, 138), (180, 120)]
)
def test_jump_is_followed_within_a_beat(before, after):
    first = steady(before, 8)
    second = steady(after, 8, start_s=first[-1] + 60 / (BEAT * after))
    known = tempos(jittered(np.concatenate([first, second])))
    assert known[len(first) + BEAT :] == pytest.approx(after, rel=0.02)


@pytest.mark.parametrize(("bpm_per_s", "most_bpm"), [(1, 1.5), (4, 4.0), (15, 9.0)])
def test_ramp_is_followed(bpm_per_s, most_bpm):
    moments = np.arange(0, 12, 1e-3)
    bpm = np.clip(100 + bpm_per_s * (moments - 4), 100, 160)
    phase = np.cumsum(bpm / 60 * BEAT * 1e-3)
    ticks = np.interp(np.arange(1, int(phase[-1])), phase, moments)
    known = tempos(jittered(ticks))
    errors = np.abs(known - np.interp(ticks, moments, bpm))[2 * BEAT :]
    assert errors.max() < most_bpm


def test_clock_stops_without_ticks():
    clock = MidiClock()
    ticks = steady(120, 2)
    for at_s in ticks:
        clock.tick(at_s)
    clock.check(ticks[-1] + SILENCE_S - 0.01)
    assert clock.bpm == pytest.approx(120)
    clock.check(ticks[-1] + SILENCE_S + 0.01)
    assert clock.bpm == 0


def test_clock_that_starts_again_forgets_the_old_tempo():
    known = tempos(np.concatenate([steady(120, 2), steady(90, 2, start_s=20)]))
    assert known[2 * BEAT] == 0
    assert known[-1] == pytest.approx(90)


def test_ticks_all_at_once_are_no_tempo():
    assert not tempos(np.full(200, 5.0)).any()
