"""Chroma of chords whose notes are known."""

import numpy as np

from audio.chroma import mean_chroma
from tests.sounds import RATE, chord

C_MAJOR = (60, 64, 67)


def test_mean_chroma_has_the_pitch_classes_of_the_chord():
    strongest = np.argsort(mean_chroma(chord(C_MAJOR, 3), RATE))[-3:]
    assert set(strongest) == {0, 4, 7}
