"""Loudness and silence of sounds whose levels are known."""

import numpy as np
import pytest

from audio.loudness import LoudnessMeter
from demiurge.evaluate.loudness_course import (
    longest_silence,
    loudness_course,
    loudness_deviation,
)
from tests.sounds import RATE, noise


def test_loudness_course_agrees_with_the_meter():
    audio = noise(5)
    meter = LoudnessMeter(RATE, 1)
    meter.add(audio[:, None])
    assert loudness_course(audio, RATE) == pytest.approx([meter.integrated()], abs=0.02)
    assert len(loudness_course(noise(10), RATE)) == 51
    assert len(loudness_course(noise(0.05), RATE)) == 1


def test_loudness_deviation_is_that_of_the_loudest_or_quietest_5_s():
    seed = noise(20)
    assert loudness_deviation(noise(30, seed=1), seed, RATE) < 0.1
    assert loudness_deviation(0.5 * noise(30), seed, RATE) == pytest.approx(6.02, abs=0.1)
    gains = np.repeat([1, 4, 1], 10 * RATE)
    assert loudness_deviation(gains * noise(30), seed, RATE) == pytest.approx(12.04, abs=0.1)
    # one second of another level moves the mean power of its 5 s to (4 + 16) / 5
    gains = np.repeat([1, 4, 1], [10 * RATE, RATE, 9 * RATE])
    assert loudness_deviation(gains * noise(20), seed, RATE) == pytest.approx(6.02, abs=0.1)


def test_silence_counts_as_70_lufs():
    course = loudness_course(np.zeros(6 * RATE, np.float32), RATE)
    assert course == pytest.approx(np.full(11, -70))


def test_longest_silence_is_relative_to_the_seed():
    seed = noise(5)
    audio = noise(10)
    audio[2 * RATE : 3 * RATE] *= 0.001  # 60 dB down
    audio[5 * RATE : 7 * RATE] *= 0.01  # 40 dB down
    assert longest_silence(audio, seed, RATE) == pytest.approx(1, abs=0.021)
    assert longest_silence(audio, 100 * seed, RATE) == pytest.approx(2, abs=0.021)
    assert longest_silence(seed, seed, RATE) == 0


def test_longest_silence_after_a_silent_seed_is_that_of_zeros():
    audio = np.concatenate([np.zeros(RATE, np.float32), 1e-6 * noise(1)])
    assert longest_silence(audio, np.zeros(RATE, np.float32), RATE) == pytest.approx(1, abs=0.02)
