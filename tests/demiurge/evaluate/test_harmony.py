"""Harmony of chords whose key is known."""

import numpy as np
import pytest

from demiurge.evaluate.harmony import harmony
from tests.sounds import RATE, chord

C_MAJOR = (60, 64, 67)
F_SHARP_MAJOR = (66, 70, 73)


def test_harmony_of_a_chord_with_itself_higher_and_quieter_is_1():
    higher = tuple(pitch + 12 for pitch in C_MAJOR)
    assert harmony(chord(higher, 4, level=0.01), chord(C_MAJOR, 3), RATE) > 0.95


def test_harmony_of_another_key_is_negative():
    assert harmony(chord(F_SHARP_MAJOR, 4), chord(C_MAJOR, 3), RATE) < -0.2


def test_harmony_with_silence_is_0():
    assert harmony(np.zeros(RATE, np.float32), chord(C_MAJOR, 3), RATE) == pytest.approx(0)
