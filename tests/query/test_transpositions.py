"""Transposition towards the key of a seed."""

import numpy as np
import pytest
import soundfile as sf

from db.analyse import describe_file
from db.build import build_database
from db.database import Database
from db.settings import DescriptorSettings
from query.space import Space
from query.style import choose_transpositions, style_distances

RATE = 44100
MAJOR = (0, 4, 7, 12, 16)


def chords(root: int) -> np.ndarray:
    """Ten seconds of a major chord."""
    t = np.arange(10 * RATE) / RATE
    frequencies = [440 * 2 ** ((root + step - 69) / 12) for step in MAJOR]
    return sum(0.1 * np.sin(2 * np.pi * f * t) for f in frequencies)


@pytest.fixture(scope="module")
def chosen(tmp_path_factory):
    """A function that returns the transpositions for C, D flat, B flat, F sharp and silence."""
    folder = tmp_path_factory.mktemp("keys")
    (folder / "in").mkdir()
    for name, root in (("a", 60), ("b", 61), ("c", 58), ("d", 66)):
        sf.write(folder / "in" / f"{name}.wav", chords(root), RATE)
    silence = np.zeros(10 * RATE)
    sf.write(folder / "in" / "e.wav", silence, RATE)
    settings = DescriptorSettings(units="fixed:250", descriptors=("mfcc", "chroma", "loudness"))
    build_database(folder / "in", folder / "db", settings=settings)
    database = Database(folder / "db")
    sf.write(folder / "seed.wav", chords(60), RATE)
    _, seed = describe_file(folder / "seed.wav", settings)

    def choose(most: int) -> list[int]:
        distances = style_distances(Space(database), seed.units, seed.lengths)
        return choose_transpositions(
            database, distances, seed.units, seed.lengths, most=most
        ).tolist()

    return choose


def test_sources_move_to_the_key_of_the_seed_within_the_limit(chosen):
    assert chosen(0) == [0, 0, 0, 0, 0]
    assert chosen(2) == [0, -1, 2, chosen(2)[3], 0]
    assert abs(chosen(2)[3]) <= 2  # F sharp is 6 semitones away
    assert [abs(semitones) for semitones in chosen(6)] == [0, 1, 2, 6, 0]
