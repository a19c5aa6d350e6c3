"""The search for voices, which fits spectra, against the path of one voice, by descriptors."""

import shutil
import tempfile
from pathlib import Path

import numpy as np

from db.analyse import describe_file
from db.bands import Bands, describe_bands
from db.build import build_database
from db.database import Database
from db.settings import DescriptorSettings
from demiurge.bench import Result, medians
from query.index import UnitIndex
from query.options import PathOptions
from query.path import find_path
from query.space import Space
from query.voices.search import VoiceSearch
from query.voices.spectra import UnitSpectra
from query.voices.target import VoiceTarget

VOICES = 6
K = 64
TARGET_STEPS = 1292  # 30 s
CORPUS_FILES = 10
SETTINGS = DescriptorSettings()


def bench_voices(audio: Path, names: list[str], target: str, repeats: int) -> Result:
    """Find what six voices play for the first 30 s of a file, from units of others."""
    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder) / "corpus"
        for number, name in enumerate(names[:CORPUS_FILES]):
            (corpus / str(number)).mkdir(parents=True)
            shutil.copy(audio / name, corpus / str(number))
        build_database(corpus, Path(folder) / "db", settings=SETTINGS)
        return _measure(Database(Path(folder) / "db"), audio / target, repeats)


def _measure(database: Database, target: Path, repeats: int) -> Result:
    _, description = describe_file(target, SETTINGS)
    rows, f0 = describe_bands(target, SETTINGS)
    sequence = description.units[:TARGET_STEPS]
    wanted = VoiceTarget(rows[:TARGET_STEPS], f0[:TARGET_STEPS])
    step_samples = np.full(len(sequence), SETTINGS.hop_length)
    index = UnitIndex(Space(database), min_samples=SETTINGS.hop_length)
    spectra = UnitSpectra(Bands(database))
    options = PathOptions(k=min(K, len(index)))

    def ours() -> None:
        search = VoiceSearch(index, spectra, wanted, sequence, options, step_samples=step_samples)
        search.run(VOICES)

    def theirs() -> None:
        find_path(index, sequence, options, step_samples=step_samples)

    theirs()  # builds the index, once
    seconds, baseline_seconds = medians(ours, theirs, repeats)
    audio_seconds = int(step_samples.sum()) / database.sample_rate
    return Result(
        "query voices",
        f"each of {VOICES} voices, {len(sequence)} steps, k = {options.k},"
        f" {len(database.units)} units",
        "the path of one voice, by descriptors",
        seconds / VOICES,
        baseline_seconds,
        audio_seconds,
        repeats,
        {
            "share of the audio, for each voice, %": 100 * seconds / VOICES / audio_seconds,
            "share of the audio, by descriptors, %": 100 * baseline_seconds / audio_seconds,
        },
    )
