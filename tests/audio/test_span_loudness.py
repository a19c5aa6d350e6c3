"""Loudness of short spans."""

import numpy as np
import pytest

from audio.span_loudness import FLOOR, loudness_of_each, span_loudness


def test_a_full_scale_sine_of_997_hz_is_minus_3_lufs():
    sine = np.sin(2 * np.pi * 997 * np.arange(48_000) / 48_000).astype(np.float32)
    assert span_loudness(sine[None], 48_000) == pytest.approx([-3.01], abs=0.02)


def test_half_the_amplitude_is_6_db_less_and_silence_is_the_floor():
    noise = np.random.default_rng(0).normal(0, 0.1, (1, 1024)).astype(np.float32)
    spans = np.concatenate([noise, noise / 2, noise * 0])
    levels = span_loudness(spans, 44_100)
    assert levels[0] - levels[1] == pytest.approx(6.02, abs=0.01)
    assert levels[2] == FLOOR


def test_spans_of_different_lengths_are_measured_in_order():
    random = np.random.default_rng(1)
    spans = [random.normal(0, 0.1, n).astype(np.float32) for n in (1024, 1024, 7, 1, 300_000, 7)]
    alone = [span_loudness(span[None], 44_100)[0] for span in spans]
    np.testing.assert_allclose(loudness_of_each(spans, 44_100), alone)
    assert len(loudness_of_each([], 44_100)) == 0
