"""Pulse and tempo of sounds whose tempo is known."""

import numpy as np
import pytest

from demiurge.evaluate.rhythm import pulse, tempo_agreement
from tests.sounds import RATE, clicks, noise


@pytest.mark.parametrize("bpm", [50, 87, 120, 200])
def test_pulse_of_clicks_is_1(bpm):
    assert pulse(clicks(bpm, 20), RATE) > 0.9


def test_pulse_does_not_depend_on_the_length():
    assert pulse(clicks(120, 8), RATE) == pytest.approx(pulse(clicks(120, 30), RATE), abs=0.05)


def test_pulse_of_noise_of_silence_and_of_irregular_clicks_is_low():
    assert pulse(noise(20), RATE) < 0.2
    assert pulse(np.zeros(20 * RATE, np.float32), RATE) == 0
    times = np.cumsum(np.random.default_rng(1).uniform(0.15, 0.9, 40))
    irregular = sum(np.roll(clicks(1, 21, first=0), round(t * RATE)) for t in times[times < 20])
    assert pulse(irregular, RATE) < 0.35


def test_tempo_agreement_of_the_same_tempo_at_another_phase_and_rate():
    seed = clicks(120, 20)
    assert tempo_agreement(clicks(120, 30, first=0.2), seed, RATE) > 0.97
    assert tempo_agreement(0.01 * clicks(120, 30), seed, RATE) > 0.9


@pytest.mark.parametrize("bpm", [97, 137, 164])
def test_tempo_agreement_of_another_tempo_is_low(bpm):
    assert tempo_agreement(clicks(bpm, 30), clicks(120, 20), RATE) < 0.2


def test_tempo_agreement_with_silence_is_0():
    assert tempo_agreement(np.zeros(RATE, np.float32), clicks(120, 20), RATE) == 0
