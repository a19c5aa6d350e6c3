"""What a session plays from: a database with its index, filters, levels and audio."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from query.online.mosaic import OnlineMosaic, online_index

from db.database import Database
from demiurge.plans.levels import level_column
from files.errors import DatabaseError, ParameterError
from files.progress import Progress, no_progress
from playback.plan_document import MAX_CHANNELS
from playback.sources import SourceReader
from query.filters import Filters, filter_units
from query.index import UnitIndex
from query.space import Space


class Corpus:
    """The units that may be played now, and how they are found.

    Attributes
    ----------
    database : Database
    reader : SourceReader
        Of sources that are ready to be played.
    channels : int
    step_samples : int
        How long a unit is, if all are of one length; else how long one is on average.
    levels : ndarray, float32, shape (n_units,), or None
        Of units, in LUFS; None if the database cannot tell.
    allowed : ndarray, bool, shape (n_units,)
        Units that may be played: what the filters leave of sources that can be read.
    mosaic : OnlineMosaic
    """

    def __init__(
        self,
        path: str | Path,
        *,
        filters: Filters,
        weights: dict[str, float],
        root: str | Path | None = None,
        progress: Progress = no_progress,
    ) -> None:
        """Open a database and make everything ready.

        Raises
        ------
        DatabaseError, ParameterError
            If it has no units, the filters leave none, or no source can be played.
        """
        self.database = Database(path, root=root)
        settings = self.database.settings
        self.channels = min(
            max((source.channels for source in self.database.sources), default=1), MAX_CHANNELS
        )
        self.reader = SourceReader(
            self.database.root, sample_rate=self.database.sample_rate, channels=self.channels
        )
        units = self.database.units
        self.space = Space(self.database, weights=weights)
        self.step_samples = settings.fixed_samples or settings.hop_length
        if settings.units_vary:
            self.step_samples = max(round(float(units.n_samples.mean())), 1)
        self._long_enough = np.ones(len(units), bool)
        if not settings.units_vary:
            self._long_enough = units.samples_left >= self.step_samples
        self._unreadable = np.zeros(len(self.database.sources), bool)
        self.problems: dict[str, str] = {}
        try:
            self.levels: np.ndarray | None = level_column(self.database)
        except DatabaseError:  # neither loudness nor MFCC: their levels are not known
            self.levels = None
        self._prepare(filters, progress)
        self.allowed = self.find_allowed(filters)
        self.mosaic = OnlineMosaic(self.index(weights, progress))

    def _prepare(self, filters: Filters, progress: Progress) -> None:
        """Decode what the filters leave; note the problem of each source that cannot be played."""
        passed, _ = filter_units(self.database, filters)
        numbers = np.unique(self.database.units.source[passed])
        names = [self.database.sources[number].path for number in numbers.tolist()]
        self.problems = self.reader.prepare_sources(names, progress)
        self.give_up(self.problems)

    def give_up(self, names: Iterable[str]) -> None:
        """Play nothing of some sources any more."""
        gone = set(names)
        for number, source in enumerate(self.database.sources):
            if source.path in gone:
                self._unreadable[number] = True

    def find_allowed(self, filters: Filters) -> np.ndarray:
        """Return which units filters leave to be played, bool, (n_units,).

        Raises
        ------
        ParameterError
            If that is none, or a filter names what the database does not have.
        """
        passed, _ = filter_units(self.database, filters)
        allowed = passed & self._long_enough & ~self._unreadable[self.database.units.source]
        if not allowed.any():
            raise ParameterError(
                f"{self.database.path}: the filters leave no unit that can be played; relax them"
            )
        return allowed

    def index(self, weights: dict[str, float], progress: Progress = no_progress) -> UnitIndex:
        """Return an index for these weights; those of columns that no input has are 0."""
        return online_index(self.database, weights, self.allowed, progress=progress)
