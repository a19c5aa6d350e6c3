"""A corpus of melodies, and databases of it."""

import numpy as np
import pytest
import soundfile as sf

from db.build import build_database
from db.database import Database
from db.settings import DescriptorSettings
from tests.sounds import RATE, chord


def melody(seed, seconds):
    """Random notes of half a second, each with an attack."""
    random = np.random.default_rng(seed)
    decay = np.exp(-np.arange(RATE // 2) / (0.2 * RATE)).astype(np.float32)
    notes = [chord([p], 0.5) * decay for p in random.integers(48, 84, int(2 * seconds))]
    return np.concatenate(notes)


@pytest.fixture(scope="session")
def melodies(tmp_path_factory):
    """Two sources of 30 s."""
    folder = tmp_path_factory.mktemp("melodies")
    for name, seed in (("one", 1), ("two", 2)):
        sf.write(folder / f"{name}.wav", melody(seed, 30), RATE, subtype="PCM_16")
    return folder


@pytest.fixture(scope="session")
def analysed(melodies, tmp_path_factory):
    """Databases of frames and of beats, by units."""
    folder = tmp_path_factory.mktemp("databases")
    found = {}
    for units in ("frame", "beat"):
        settings = DescriptorSettings(
            sample_rate=RATE,
            hop_length=512,
            n_fft=1024,
            n_mels=40,
            descriptors=("mfcc", "chroma"),
            units=units,
        )
        build_database(melodies, folder / units, settings=settings)
        found[units] = Database(folder / units)
    return found
