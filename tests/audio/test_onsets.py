"""Onsets whose times are known."""

import numpy as np
import pytest

from audio.onsets import FRAME_RATE, find_onsets, onset_strength
from tests.sounds import RATE, clicks


def test_onsets_of_clicks_are_found():
    assert find_onsets(clicks(100, 10, first=0.4), RATE) == pytest.approx(
        np.arange(0.4, 10, 0.6), abs=0.025
    )


def test_onset_strength_is_highest_at_the_clicks():
    strength = onset_strength(clicks(60, 4, first=0.5), RATE)
    peaks = [
        second * FRAME_RATE + strength[int(second * FRAME_RATE) :][:86].argmax()
        for second in range(4)
    ]
    assert np.array(peaks) / FRAME_RATE == pytest.approx([0.5, 1.5, 2.5, 3.5], abs=0.03)
