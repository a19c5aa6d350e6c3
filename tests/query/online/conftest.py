"""A small database of bundled sounds, and one of them to follow that is not in it."""

import shutil

import numpy as np
import pytest

from db.build import build_database
from db.database import Database
from db.settings import DescriptorSettings
from demiurge.bundled import CORPUS_DIR
from demiurge.sequences import describe

SETTINGS = DescriptorSettings(descriptors=("mfcc", "chroma"))
SOUNDS = ("loop_[acist]*", "guit_*", "bass_*_c.ogg", "tabla_*")


@pytest.fixture(scope="session")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Database:
    folder = tmp_path_factory.mktemp("online")
    (folder / "c").mkdir()
    for pattern in SOUNDS:
        for path in CORPUS_DIR.glob(pattern):
            shutil.copy(path, folder / "c")
    build_database(folder / "c", folder / "db", settings=SETTINGS)
    return Database(folder / "db")


@pytest.fixture(scope="session")
def heard() -> np.ndarray:
    """The descriptors of a drum loop and a piano, float32, (steps, n_descriptors)."""
    names = ("loop_breakbeat.ogg", "ambi_piano.ogg")
    return np.concatenate([describe(CORPUS_DIR / name, SETTINGS).descriptors for name in names])
