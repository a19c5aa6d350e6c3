"""A large corpus of real sound for the benchmarks of live sessions, on disk as WAV files."""

from itertools import product
from pathlib import Path

import numpy as np
import soundfile as sf

from audio.channels import to_mono
from audio.read import read_audio
from audio.resample import resample
from audio.scan import find_audio
from db.build import build_database
from db.settings import DescriptorSettings
from demiurge.bench import SAMPLE_RATE
from demiurge.bench.query import OFFSETS, RATES

SETTINGS = DescriptorSettings(descriptors=("mfcc", "chroma", "loudness"))


def split_audio(audio: Path) -> tuple[Path, list[Path]]:
    """Return the longest file of a folder, to be the input, and the others."""
    paths = [audio / name for name in find_audio(audio)]
    longest = max(paths, key=lambda path: path.stat().st_size)
    return longest, [path for path in paths if path != longest] or paths


def make_live_corpus(folder: Path, sources: list[Path], n_units: int) -> Path:
    """Write variations of sources until there are enough units, and build their database.

    A variation is played at another rate, and its frames begin elsewhere.
    """
    audio = folder / "audio"
    audio.mkdir()
    made = 0
    varied = product(RATES, OFFSETS, sources)
    for number, (rate, offset, source) in enumerate(varied):
        sound = read_audio(source)
        samples = resample(to_mono(sound.samples), round(sound.sample_rate * rate), SAMPLE_RATE)
        samples = np.clip(samples[offset:], -1, 1)
        sf.write(audio / f"{number:05d}.wav", samples, SAMPLE_RATE, subtype="PCM_16")
        made += len(samples) // SETTINGS.hop_length
        if made >= n_units:
            break
    database = folder / "live.db"
    build_database(audio, database, settings=SETTINGS)
    return database


def read_input(path: Path, seconds: float) -> np.ndarray:
    """Return the beginning of a file, repeated if it is shorter, in mono; float32, (n, 1)."""
    sound = read_audio(path)
    samples = resample(to_mono(sound.samples), sound.sample_rate, SAMPLE_RATE)
    return np.resize(samples, round(seconds * SAMPLE_RATE))[:, None]
