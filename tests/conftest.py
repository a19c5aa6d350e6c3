"""Fixtures that several rooms' tests share."""

import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

FIXTURES = Path(__file__).parent / "fixtures"
RATE = 44100


@pytest.fixture(scope="session", autouse=True)
def decoded_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where tests, and the programs they start, keep decoded audio: never in the user's cache."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DEMIURGE_CACHE", str(folder))
        yield folder / "decoded"


@pytest.fixture(scope="session", autouse=True)
def ctrl_c_is_heard() -> None:
    """A shell's background job, and what such a job starts, ignores SIGINT; tests send it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup ignores it


@pytest.fixture
def fixtures() -> Path:
    return FIXTURES


@pytest.fixture(scope="session")
def tabla() -> np.ndarray:
    """A second of real tabla, 44.1 kHz mono 16 bit, float32 (44100,)."""
    return sf.read(FIXTURES / "tabla_44k.wav", dtype="float32")[0]


@pytest.fixture
def corpus(tmp_path: Path, tabla: np.ndarray) -> Path:
    """Four sources, among them two of one name; the sixth of a second, 7 350 samples, ends within a
    hop.
    """
    folder = tmp_path / "corpus"
    (folder / "a").mkdir(parents=True)
    (folder / "b").mkdir()
    sf.write(folder / "a" / "x.wav", tabla, RATE, subtype="PCM_16")
    sf.write(folder / "b" / "x.wav", tabla[::-1], RATE, subtype="PCM_16")
    sf.write(folder / "short.flac", tabla[:7350], RATE)
    sf.write(
        folder / "stereo.wav",
        np.stack([tabla, np.roll(tabla, 999)], axis=1),
        RATE,
        subtype="PCM_24",
    )
    return folder
