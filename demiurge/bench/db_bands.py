"""Measuring the spectra of a database, against librosa's magnitudes and a matrix product."""

import shutil
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from db.band_filters import band_filters
from db.bands import Bands
from db.build import build_database
from db.database import Database
from db.settings import DescriptorSettings
from demiurge.bench import Result, medians

SETTINGS = DescriptorSettings(window_centre="start")  # librosa's frames


def bench_bands(audio: Path, repeats: int) -> Result:
    """Measure and keep the bands and the pitch of a folder."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bands.db"
        build_seconds = []
        for _ in range(repeats):
            shutil.rmtree(path, ignore_errors=True)
            started = time.perf_counter()
            build_database(audio, path, settings=SETTINGS)
            build_seconds.append(time.perf_counter() - started)
        database = Database(path)
        names = [source.path for source in database.sources]
        measure_with_librosa(audio / names[0])  # librosa compiles at its first call: not counted

        def ours() -> None:
            shutil.rmtree(path / "bands", ignore_errors=True)
            Bands(database)

        def theirs() -> None:
            for name in names:
                measure_with_librosa(audio / name)

        times = medians(ours, theirs, repeats)
        audio_seconds = sum(source.n_samples for source in database.sources) / database.sample_rate
        facts = {
            "largest_difference": _largest_difference(database, audio / names[0]),
            "building the database of mfcc, s": statistics.median(build_seconds),
        }
    what = f"bands and pitch of {audio_seconds / 3600:.2f} h"
    baseline = "librosa.load + stft + matrix product, no pitch, one process"
    return Result("db bands", what, baseline, *times, audio_seconds, repeats, facts)


def measure_with_librosa(path: Path) -> np.ndarray:
    """Return the magnitudes of a file in our bands, shape (frames, n_bands)."""
    import librosa

    samples, _ = librosa.load(path, sr=SETTINGS.sample_rate)
    n_fft = SETTINGS.n_fft
    spectrum = np.abs(librosa.stft(samples, n_fft=n_fft, hop_length=SETTINGS.hop_length))
    return (band_filters(SETTINGS.sample_rate, n_fft).toarray() @ spectrum).T


def _largest_difference(database: Database, path: Path) -> float:
    """Return the largest difference of a band of the first source, in shares of the loudest."""
    expected = measure_with_librosa(path)[: database.sources[0].n_units]
    found = Bands(database).rows(np.arange(len(expected)))
    return float(np.abs(found - expected).max() / expected.max())
