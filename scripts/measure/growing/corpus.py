"""Databases of 10^6 units and more: real sounds, varied in rate, offset and gain.

Each database continues the one before, so that every variation is analysed once. The targets are
files of which no variation is in these databases; they have databases of their own.
"""

import json
import shutil
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
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
UNITS = ("frame", "beat/4")  # of the targets
GAINS_DB = (0.0, -2.0, 2.0)
N_VARIATIONS = len(RATES) * len(OFFSETS) * len(GAINS_DB)
KEPT_OUT = 8  # one file in so many is a target
STEPS = 1000


@dataclass(frozen=True)
class Variation:
    """How a file is played before it is analysed."""

    rate: float = 1.0
    offset: int = 0  # samples
    gain_db: float = 0.0

    @classmethod
    def number(cls, number: int) -> "Variation":
        """Return one of `N_VARIATIONS`; number 0 is the file as it is."""
        return cls(
            RATES[number % len(RATES)],
            OFFSETS[number % len(OFFSETS)],
            GAINS_DB[number % len(GAINS_DB)],
        )


AS_IT_IS = Variation()


@dataclass(frozen=True)
class Analysis:
    """What analysing the targets takes, on one core.

    Attributes
    ----------
    units : str
        As in the settings.
    audio_s, seconds : float
        Length of the targets, and time of one core to decode and describe them.
    n_units, n_bytes : int
        Units that these are, and bytes of their database.
    """

    units: str
    audio_s: float
    seconds: float
    n_units: int
    n_bytes: int


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

    def analysis(self, units: str) -> Analysis:
        """Make the database of the targets in these units, unless that was done before."""
        path = targets_path(self.folder, units)
        record = path.with_suffix(".json")
        if not record.exists():
            shutil.rmtree(path, ignore_errors=True)
            started = time.process_time()
            settings = DescriptorSettings(units=units)
            self._add(path, settings, [(AS_IT_IS, file) for file in self.targets])
            seconds = time.process_time() - started
            database = Database(path)
            audio_s = sum(source.n_samples for source in database.sources) / database.sample_rate
            found = Analysis(units, audio_s, seconds, database.n_units, folder_bytes(path))
            with replacing(record) as temporary:
                temporary.write_text(json.dumps(asdict(found)))
        return Analysis(**json.loads(record.read_text()))

    def database(self, n_units: int) -> Database:
        """Make a database of at least `n_units` units, unless that was done before."""
        path = database_path(self.folder, n_units)
        if not path.exists():
            partial = self.folder / "partial.db"
            if not partial.exists():
                self._copy_largest(partial)
            varied = product(map(Variation.number, range(N_VARIATIONS)), self.files)
            self._add(partial, SETTINGS, varied, n_units)
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

    def _add(
        self,
        path: Path,
        settings: DescriptorSettings,
        varied: Iterable[tuple[Variation, Path]],
        n_units: int = 0,
    ) -> None:
        """Add files to a database, except those that it has, until there are enough units."""
        with writing(path, create=True) as connection:
            settings = configure(connection, path, self.folder, settings, moved=True)
            writer = Writer(connection, path, settings)
            n_sources, made = connection.execute(
                "SELECT count(*), coalesce(sum(n_rows), 0) FROM spans"
            ).fetchone()
            for number, (variation, file) in enumerate(islice(varied, n_sources, None), n_sources):
                if 0 < n_units <= made:
                    break
                description = describe_varied(file, variation, settings)
                writer.add(source_row(number, variation, file, description), description)
                made += len(description.units)
                self._progress(min(made, n_units), n_units, f"units of {path.name}")
            writer.finish()


def describe_varied(path: Path, variation: Variation, settings: DescriptorSettings) -> Description:
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
    return SourceRow(name, f"{number:032x}", 1, 1, SETTINGS.sample_rate, 1, description.n_samples)


def database_path(folder: Path, n_units: int) -> Path:
    return folder / f"{n_units}.db"


def targets_path(folder: Path, units: str) -> Path:
    return folder / f"targets-{units.replace('/', '-')}.db"


def steps_of(folder: Path) -> np.ndarray:
    """Return 1000 steps from all over the targets, float32, (steps, n_descriptors)."""
    rows = Database(targets_path(folder, "frame")).descriptors
    return rows[np.linspace(0, len(rows) - 1, STEPS).astype(int)]


def folder_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
