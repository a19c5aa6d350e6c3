"""Building a database against the original's path: librosa load, MFCC, two deltas, JSON; one file after another."""

import json
import tempfile
from itertools import count
from pathlib import Path

import numpy as np

from db.build import build_database
from db.database import Database
from db.scan import find_audio
from db.settings import DescriptorSettings
from demiurge.bench import Result, medians


def bench_db(audio: Path, repeats: int) -> Result:
    files = find_audio(audio)
    settings = DescriptorSettings(window_centre="start")  # the reference's frames, so that the results can be compared
    with tempfile.TemporaryDirectory() as folder:
        numbers = count()
        reference_path(audio / files[0], Path(folder), settings)  # librosa compiles at its first call: not counted

        def ours() -> None:
            build_database(audio, Path(folder) / f"{next(numbers)}.db", settings=settings)

        def reference() -> None:
            for name in files:
                reference_path(audio / name, Path(folder), settings)

        seconds, reference_seconds = medians(ours, reference, repeats)
        database = Database(Path(folder) / "0.db")
        first = database.sources[0]
        expected = reference_path(audio / first.path, Path(folder), settings)[: first.n_units]
        difference = float(np.abs(database.source_descriptors(0) - expected).max())
        audio_seconds = sum(source.n_samples for source in database.sources) / database.sample_rate
    return Result(
        "db", f"{len(files)} files, {audio_seconds / 60:.1f} minutes into a database; largest difference {difference:.1e}",
        "librosa.load + mfcc + delta × 2 + JSON, one process", seconds, reference_seconds, audio_seconds, repeats,
        {"files": len(files), "largest_difference": difference},
    )  # fmt: skip


def reference_path(path: Path, out: Path, settings: DescriptorSettings) -> np.ndarray:
    """The original's extraction of one file, written with librosa as its documentation shows."""
    import librosa

    samples, rate = librosa.load(path, sr=settings.sample_rate)
    mfcc = librosa.feature.mfcc(y=samples, sr=rate, n_mfcc=settings.n_mfcc, hop_length=settings.hop_length)
    rows = np.concatenate([mfcc, librosa.feature.delta(mfcc), librosa.feature.delta(mfcc, order=2)])
    columns = {f"mfcc{i}": row.tolist() for i, row in enumerate(rows)}
    (out / "descriptors.json").write_text(
        json.dumps({"_id": [path.name] * rows.shape[1], "_sample": list(range(rows.shape[1])), **columns})
    )
    return rows.T
