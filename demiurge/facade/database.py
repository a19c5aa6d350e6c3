"""A database: sounds cut into units, and what can be made of them."""

import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Self, Unpack

import numpy as np

from db.build import build_database
from db.unit_table import Units
from demiurge.cli.options.analysis import AskedSettings
from demiurge.databases import open_databases
from demiurge.facade.choices import (
    ContinuationChoice,
    MosaicChoice,
    UnitChoice,
    continuation_search,
    mosaic_search,
    unit_search,
)
from demiurge.facade.rendered import IN_MEMORY, Rendered, play
from demiurge.facade.sound import Sound, as_file
from demiurge.model_descriptors import open_model
from demiurge.pipeline import describe, render_continuation, render_mosaic
from files.errors import ParameterError
from playback.plan import Plan
from playback.sources import SourceReader
from query.index import Matches

if TYPE_CHECKING:
    from demiurge.facade.forecaster import Forecaster

MOST_CHANNELS = 2  # of a unit's sound
IN_MEMORY_NAME = "a sound in memory"  # of a seed or target, in plans


class Database:
    """A database: sounds cut into units, with their descriptors.

    Attributes
    ----------
    stored : db.database.Database
        All that there is to know of it.
    """

    def __init__(self, path: str | Path, *others: str | Path, root: str | Path | None = None):
        """Open a database, or several as one.

        Parameters
        ----------
        path, others : str or Path
            Folders of databases; of several, also "NAME=FOLDER".
        root : str or Path, optional
            The folder of the sounds, if that has moved.

        Raises
        ------
        Error
            If one cannot be opened.
        """
        self.stored = open_databases([path, *others], root=root)

    @classmethod
    def build(
        cls,
        folder: str | Path,
        path: str | Path,
        *,
        units: str | None = None,
        descriptors: Sequence[str] | None = None,
    ) -> Self:
        """Analyse the audio below a folder into the database `path`, or bring that up to date.

        Files that cannot be read are left out, with a warning that names them.

        Parameters
        ----------
        units, descriptors : optional
            As `demiurge db build`: by default quarters of beats ("beat/4"), described by
            ["mfcc", "chroma", "loudness"].

        Raises
        ------
        Error
            If the folder has no audio, or the database has other settings or cannot be written.
        """
        joined = None if descriptors is None else ",".join(descriptors)
        asked = AskedSettings(descriptors=joined, units=units)
        report = build_database(
            folder, path, settings=asked.settings(Path(path)), open_model=open_model
        )
        if report.failed:
            lines = "\n".join(f"{name}: {reason}" for name, reason in report.failed)
            warnings.warn(f"left out of {path}, as unreadable:\n{lines}", stacklevel=2)
        return cls(path)

    def __len__(self) -> int:
        """Return the number of units."""
        return self.stored.n_units

    @property
    def sources(self) -> list[str]:
        """Names of the sounds: paths below the folder, of several databases with their names."""
        return [source.path for source in self.stored.sources]

    @property
    def units(self) -> Units:
        """The units in order: `source` (a number in `sources`), `start_sample`, `n_samples`."""
        return self.stored.units

    @property
    def sample_rate(self) -> int:
        """Hz; samples of units are counted at it."""
        return self.stored.sample_rate

    @property
    def columns(self) -> list[str]:
        """Names of the descriptors' columns, such as "mfcc0"."""
        return list(self.stored.settings.names)

    @property
    def descriptors(self) -> np.ndarray:
        """Descriptors of all units, raw, float32, shape (n_units, n_columns)."""
        return self.stored.descriptors

    def sound(self, unit: int) -> Sound:
        """Return what is heard in a unit, given by its number from 0 on.

        Raises
        ------
        Error
            If there is no such unit, or its file is gone.
        """
        if not 0 <= unit < len(self):
            raise ParameterError(f"unit={unit} must be 0 to {len(self) - 1}")
        source = self.stored.sources[int(self.units.source[unit])]
        channels = min(source.channels, MOST_CHANNELS)
        samples = np.empty((int(self.units.n_samples[unit]), channels), np.float32)
        with SourceReader(
            self.stored.roots, sample_rate=self.sample_rate, channels=channels, outside=True
        ) as reader:
            reader.length(source.path)  # decodes it, if need be
            reader.read_into(samples, source.path, int(self.units.start_sample[unit]))
        return Sound(samples, self.sample_rate)

    def query(
        self, target: str | Path | Sound, *, k: int = 10, **choice: Unpack[UnitChoice]
    ) -> Matches:
        """Find the units nearest to each step of a sound.

        Parameters
        ----------
        target : str, Path or Sound
        k : int
            Units for each step.
        choice
            `sources`, `tags`, `where`, `weights`, `metric`: as the options of `demiurge query`.

        Returns
        -------
        Matches
            `positions`, int64, and `distances`, float32, both (steps, k), nearest first.
        """
        search = unit_search(choice)
        with as_file(target) as file:
            described = describe(file, self.stored.settings)
        return search.index_of(self.stored).search(described.descriptors, k=k)

    def mosaic(self, target: str | Path | Sound, **choice: Unpack[MosaicChoice]) -> Rendered:
        """Rebuild a sound out of units, without a forecast, as `demiurge mosaic` does.

        Parameters
        ----------
        target : str, Path or Sound
        choice
            As the options of the command: `sources`, `tags`, `where`, `weights`, `metric`, `k`,
            `continuity`, `novelty`, `min_reuse`, `max_run`, `rest_threshold`, `temperature`
            (--path-temperature), `random_seed`, `voices`, `transpose`, `follow`, `stretch`,
            `range`, `level`.

        Raises
        ------
        Error
            If a file cannot be read, or a choice cannot be met.
        """
        search, domains = mosaic_search(choice)
        name = IN_MEMORY_NAME if isinstance(target, Sound) else None
        with as_file(target) as file, tempfile.TemporaryDirectory() as folder:
            (result,) = render_mosaic(
                file,
                self.stored,
                Path(folder) / "out.wav",
                search=search,
                domains=domains,
                render_options=IN_MEMORY,
                target_name=name,
            )
            return Rendered(Sound.read(result.wav), result.plan, self.stored.roots)

    def render(
        self,
        seed: str | Path | Sound,
        model: "Forecaster | str | Path",
        *,
        seconds: float = 10.0,
        include_seed: bool = False,
        **choice: Unpack[ContinuationChoice],
    ) -> Rendered:
        """Continue a sound with units that a forecaster chooses and hears, as `demiurge render`.

        Parameters
        ----------
        seed : str, Path or Sound
        model : demiurge.Forecaster, str or Path
            Trained on a database with the same settings.
        seconds : float
            Length of the continuation.
        include_seed : bool
            Whether the seed's own units may be played as well.
        choice
            As the options of the command: `sources`, `tags`, `where`, `weights`, `metric`,
            `continuity`, `novelty`, `min_reuse`, `max_run`, `temperature`, `random_seed`,
            `voices`.

        Raises
        ------
        Error
            If a file or the model cannot be read, or a choice cannot be met.
        """
        search, sampling = continuation_search(choice)
        name = IN_MEMORY_NAME if isinstance(seed, Sound) else None
        if include_seed and name:
            raise ParameterError(
                "include_seed=True needs a seed in a file, which the plan can name; save it"
            )
        folder_of_model = model if isinstance(model, str | Path) else model.path
        with as_file(seed) as file, tempfile.TemporaryDirectory() as folder:
            (result,) = render_continuation(
                file,
                self.stored,
                folder_of_model,
                Path(folder) / "out.wav",
                seconds=seconds,
                sampling=sampling,
                search=search,
                include_seed=include_seed,
                render_options=IN_MEMORY,
                seed_name=name,
            )
            return Rendered(Sound.read(result.wav), result.plan, self.stored.roots)

    def play(self, plan: Plan | str | Path) -> Sound:
        """Return the sound of a plan of this database; raises `Error` if sources are missing."""
        return play(plan if isinstance(plan, Plan) else Plan.load(plan), self.stored.roots)
