"""Databases of 10^6 units and more: real sounds, varied in rate, offset and gain.

Each database continues the one before, so that every variation is analysed once. The targets are
files of which no variation is in the databases.
"""

import json
import shutil
import time
from dataclasses import dataclass
from itertools import islice, product
from pathlib import Path

import numpy as np

from audio.read import open_mono
from audio.resample import resample_blocks
from audio.scan import find_audio
from db.analyse import Description, describe_signal
from db.configure import configure
from db.database import Database
from db.settings import DescriptorSettings
from db.write_lock import writing
from db.writer import SourceRow, Writer
from demiurge.bench.query import OFFSETS, RATES, without_first
from files.atomic import replacing
from files.progress import Progress

SETTINGS = DescriptorSettings()
BEATS = DescriptorSettings(units="beat/4")
GAINS_DB = (0.0, -2.0, 2.0)
KEPT_OUT = 8  # one file in so many is a target
STEPS = 1000
N_VARIATIONS = len(RATES) * len(OFFSETS) * len(GAINS_DB)


@dataclass(frozen=True)
class Variation:
    """How a file is played before it is analysed."""

    rate: float = 1.0
    offset: int = 0  # samples
    gain_db: float = 0.0

    @classmethod
    def number(cls, number: int) -> "Variation":
        """Return one of `N_VARIATIONS`; number 0 is the file as it is."""
        lists = (RATES, OFFSETS, GAINS_DB)
        return cls(*(values[number % len(values)] for values in lists))


@dataclass(frozen=True)
class Analysis:
    """What analysing the targets took, on one core.

    Attributes
    ----------
    audio_s, seconds : float
        Length of the targets, and time to decode and describe them in frames.
    beat_seconds : float
        The same in parts of beats.
    beat_units : int
        Units that these are.
    """

    audio_s: float
    seconds: float
    beat_seconds: float
    beat_units: int


class Corpus:
    """Files of some folders, and what is made of them in another.

    Attributes
    ----------
    folder : Path
        Where databases and figures are kept.
    targets, files : list of Path
    """

    def __init__(self, folder: Path, audio: list[Path], progress: Progress) -> None:
        self.folder = folder
        self._progress = progress
        names = [root / name for root in audio for name in find_audio(root)]
        self.targets = names[::KEPT_OUT]
        self.files = [name for name in names if name not in set(self.targets)]

    def analysis(self) -> Analysis:
        """Analyse the targets, unless that was done before."""
        path = self.folder / "analysis.json"
        if not path.exists():
            frames, seconds = self._describe_targets(SETTINGS)
            beats, beat_seconds = self._describe_targets(BEATS)
            np.save(self.folder / "targets.npy", np.concatenate([each.units for each in frames]))
            audio_s = sum(each.n_samples for each in frames) / SETTINGS.sample_rate
            beat_units = sum(len(each.units) for each in beats)
            with replacing(path) as temporary:
                temporary.write_text(json.dumps([audio_s, seconds, beat_seconds, beat_units]))
        return Analysis(*json.loads(path.read_text()))

    def _describe_targets(self, settings: DescriptorSettings) -> tuple[list[Description], float]:
        started = time.perf_counter()
        found = []
        for number, path in enumerate(self.targets, start=1):
            found.append(describe_varied(path, Variation(), settings))
            self._progress(number, len(self.targets), f"analysing targets in {settings.units}s")
        return found, time.perf_counter() - started

    def database(self, n_units: int) -> Database:
        """Make a database of at least `n_units` units, unless that was done before."""
        path = self.folder / f"{n_units}.db"
        if not path.exists():
            partial = self.folder / "partial.db"
            if not partial.exists():
                self._copy_largest(partial)
            self._extend(partial, n_units)
            partial.rename(path)
        return Database(path)

    def _copy_largest(self, path: Path) -> None:
        """Begin a database with what the largest one holds."""
        databases = sorted(self.folder.glob("[1-9]*.db"), key=lambda each: int(each.stem))
        if databases:
            copied = path.with_suffix(".copy")
            shutil.rmtree(copied, ignore_errors=True)
            shutil.copytree(databases[-1], copied, ignore=shutil.ignore_patterns("index"))
            copied.rename(path)

    def _extend(self, path: Path, n_units: int) -> None:
        with writing(path, create=True) as connection:
            writer = Writer(
                connection, path, configure(connection, path, self.folder, SETTINGS, moved=True)
            )
            n_sources, made = connection.execute(
                "SELECT count(*), coalesce(sum(n_rows), 0) FROM spans"
            ).fetchone()
            varied = product(map(Variation.number, range(N_VARIATIONS)), self.files)
            for number, (variation, file) in enumerate(islice(varied, n_sources, None), n_sources):
                if made >= n_units:
                    break
                description = describe_varied(file, variation)
                writer.add(source_row(number, variation, file, description), description)
                made += len(description.units)
                self._progress(min(made, n_units), n_units, "analysing varied sounds")
            writer.finish()


def step_rows(folder: Path) -> np.ndarray:
    """Return 1000 steps from all over the targets, float32, (steps, n_descriptors)."""
    rows = np.load(folder / "targets.npy")
    return rows[np.linspace(0, len(rows) - 1, STEPS).astype(int)]


def describe_varied(
    path: Path, variation: Variation, settings: DescriptorSettings = SETTINGS
) -> Description:
    """Describe a variation of a file."""
    with open_mono(path) as (info, blocks):
        rate = round(info.sample_rate * variation.rate)
        faster = resample_blocks(blocks, rate, settings.sample_rate)
        shifted = without_first(faster, variation.offset)
        gain = np.float32(10 ** (variation.gain_db / 20))
        description = describe_signal((gain * block for block in shifted), settings)
    assert description is not None, path
    return description


def source_row(
    number: int, variation: Variation, path: Path, description: Description
) -> SourceRow:
    """Return the row of a variation in the manifest."""
    name = f"{variation.rate}-{variation.offset}-{variation.gain_db}/{number}-{path.name}"
    rate = SETTINGS.sample_rate
    return SourceRow(name, f"{number:032x}", 1, 1, rate, 1, description.n_samples)
