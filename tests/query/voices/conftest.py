"""A small corpus of real sounds, and targets that are mixes of them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from audio.read import read_audio
from db.bands import Bands, describe_bands
from db.build import build_database
from db.database import Database
from db.derived import at_transpositions
from db.settings import DescriptorSettings
from demiurge.bundled import CORPUS_DIR
from query.index import UnitIndex
from query.space import Space
from query.voices.spectra import UnitSpectra
from query.voices.target import VoiceTarget, target_of_frames

RATE = 44100
HOP = 1024
SOUNDS = (
    "ambi_choir",
    "ambi_piano",
    "bass_trance_c",
    "guit_e_fifths",
    "loop_amen",
    "perc_bell",
    "elec_chime",
    "drum_splash_hard",
    "tabla_ghe3",
    "vinyl_hiss",
)
SECONDS = 3


@pytest.fixture(scope="session")
def sounds() -> dict[str, np.ndarray]:
    """Up to three seconds of each sound, mono, by name."""
    audio = {name: read_audio(CORPUS_DIR / f"{name}.ogg").samples for name in SOUNDS}
    return {name: samples.mean(axis=1)[: SECONDS * RATE] for name, samples in audio.items()}


@pytest.fixture(scope="session")
def build(sounds, tmp_path_factory) -> Callable[..., Database]:
    """A function that returns the database of some of the sounds, in units of some kind."""

    def build(*names: str, **settings) -> Database:
        folder: Path = tmp_path_factory.mktemp("voices")
        (folder / "in").mkdir()
        for name in names or SOUNDS:
            sf.write(folder / "in" / f"{name}.wav", sounds[name], RATE)
        build_database(folder / "in", folder / "db", settings=DescriptorSettings(**settings))
        return Database(folder / "db")

    return build


@pytest.fixture(scope="session")
def database(build) -> Database:
    return build()


@pytest.fixture(scope="session")
def bands(database) -> Bands:
    return Bands(database)


@pytest.fixture(scope="session")
def spectra(bands, database) -> UnitSpectra:
    return UnitSpectra(bands)


@pytest.fixture(scope="session")
def index(database) -> UnitIndex:
    return UnitIndex(Space(database))


@pytest.fixture(scope="session")
def copies(bands, database) -> tuple[Database, UnitSpectra]:
    """The database as it is, a tone up, and a fifth down; and its spectra."""
    shifts = (0, 2, -7)
    return at_transpositions(database, shifts), UnitSpectra(bands, shifts)


def target_of(samples: np.ndarray, database: Database) -> VoiceTarget:
    """Return the target of a sound whose steps are frames."""
    rows, f0 = describe_bands(samples, database.settings)
    return target_of_frames(rows, f0, np.full(len(rows), HOP), HOP)
