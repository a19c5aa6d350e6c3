"""What a session plays from: a database with its index, filters, levels and audio."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import faiss
import numpy as np

from audio.decibels import to_decibels
from db.database import Database
from demiurge.live.knobs import Knobs
from demiurge.plans.levels import NEAR_SILENCE_DB, level_column
from demiurge.reopen import as_database
from files.errors import AudioError, DatabaseError, ParameterError, PlanError
from files.progress import Progress, no_progress
from files.roots import Folder
from playback.plan_document import MAX_CHANNELS
from playback.sources import SourceReader
from playback.steps import Step
from query.apply_filters import filter_units
from query.filters import Filters
from query.online.mosaic import OnlineMosaic, online_index, online_weights
from query.settings import SearchSettings
from query.space import Space

HEADROOM_DB = 3.0  # most music is near full scale, and some decodes to more
FOLLOW_DB = 24.0  # most that a unit is raised or lowered


@dataclass(frozen=True)
class PlayableUnits:
    """The units that may be played at the moment.

    Attributes
    ----------
    allowed : ndarray, bool, shape (n_units,)
        What the filters leave of sources that can be read.
    mosaic : OnlineMosaic
        Finds these units.
    """

    allowed: np.ndarray
    mosaic: OnlineMosaic


class Corpus:
    """A database that is played.

    Attributes
    ----------
    database : Database
    space : Space
        With the weights at the beginning.
    reader : SourceReader
        Of sources that are ready to be played.
    channels : int
    step_samples : int
        How long a unit is, if all are of one length; else how long one is on average.
    levels : ndarray, float32, shape (n_units,), or None
        Of units, in LUFS; None if the database cannot tell.
    problems : dict
        The problem with each source that is not played.
    """

    def __init__(
        self,
        database: str | Path | Database,
        search: SearchSettings,
        *,
        root: str | Folder | None = None,
        progress: Progress = no_progress,
    ) -> None:
        """Open a database; of `search`, weights and metric count.

        Raises
        ------
        DatabaseError, ParameterError
            If it cannot be opened, has no units, or its settings do not go with the weights.
        """
        faiss.omp_set_num_threads(1)  # threads take longer to start than one target takes
        self.database = as_database(database, root)
        settings = self.database.settings
        self._first_weights = search.weights
        self.space = Space(
            self.database, weights=self._weights(search.weights), metric=search.metric
        )
        sources = self.database.sources
        self.channels = min(max(source.channels for source in sources), MAX_CHANNELS)
        self.reader = SourceReader(
            self.database.roots, sample_rate=settings.sample_rate, channels=self.channels
        )
        self.problems: dict[str, str] = {}
        self._is_prepared = np.zeros(len(sources), bool)
        self._is_unreadable = np.zeros(len(sources), bool)
        self.step_samples = settings.fixed_samples or settings.hop_length
        min_samples = self.step_samples
        if settings.units_vary:
            self.step_samples = max(round(float(self.database.units.n_samples.mean())), 1)
            min_samples = 1
        try:
            self.levels: np.ndarray | None = level_column(self.database)
        except DatabaseError:  # neither loudness nor MFCC: their levels are not known
            self.levels = None
        index = online_index(self.space, min_samples=min_samples, progress=progress)
        self._everything = OnlineMosaic(index)

    def _weights(self, weights: dict[str, float]) -> dict[str, float]:
        return {**online_weights(self.database.settings), **weights}

    def choose_from(
        self, filters: Filters, weights: dict[str, float], progress: Progress = no_progress
    ) -> PlayableUnits:
        """Return the units that filters leave, and how they are found with these weights.

        What has not been played yet is decoded first, so that this may take long.

        Raises
        ------
        ParameterError
            If no unit is left, or a filter or weight names what the database does not have.
        """
        passed, _ = filter_units(self.database, filters)
        self._prepare(passed, progress)
        allowed = passed & ~self._is_unreadable[self.database.units.source]
        if not allowed.any():
            first = next(iter(self.problems.items()), None)
            reason = f" ({first[0]}: {first[1]})" if first else ""
            raise ParameterError(
                f"{self.database.path}: the filters leave no unit that can be played{reason};"
                " relax them"
            )
        other_units = None if allowed.all() else allowed
        other_weights = None if weights == self._first_weights else self._weights(weights)
        mosaic = self._everything
        if other_units is not None or other_weights is not None:
            mosaic = mosaic.changed(allowed=other_units, weights=other_weights)
        return PlayableUnits(allowed, mosaic)

    def without(self, playable: PlayableUnits, name: str) -> PlayableUnits:
        """Return playable units without those of a source, which is played no more."""
        self.give_up([name])
        allowed = playable.allowed & ~self._is_unreadable[self.database.units.source]
        return PlayableUnits(allowed, playable.mosaic)

    def _prepare(self, passed: np.ndarray, progress: Progress) -> None:
        """Decode the sources of units; those that cannot be played are given up."""
        numbers = np.unique(self.database.units.source[passed])
        numbers = numbers[~self._is_prepared[numbers]]
        names = [self.database.sources[number].path for number in numbers.tolist()]
        if names:
            stamps = self.database.stamps(names)
            problems = self.reader.prepare_sources(names, progress, stamps=stamps)
            self.problems |= problems
            self.give_up(problems)
        self._is_prepared[numbers] = True

    def give_up(self, names: Iterable[str]) -> None:
        """Play nothing of some sources any more, from the next `choose_from` on."""
        gone = set(names)
        for number, source in enumerate(self.database.sources):
            if source.path in gone:
                self._is_unreadable[number] = True

    def problem_of(self, step: Step, lead: int) -> str:
        """Return why a step cannot be played, with `lead` samples around it; "" if it can."""
        try:
            first = max(step.start_sample - lead, 0)
            last = min(step.end_sample + lead, self.reader.length(step.source))
            samples = np.empty((last - first, self.channels), np.float32)
            self.reader.read_into(samples, step.source, first)
        except (AudioError, PlanError) as error:
            return str(error)
        return ""

    def gain_db(self, position: int, knobs: Knobs, input_db: float | None) -> float:
        """Return the gain of a unit: the knob's, less with voices, more or less if it follows.

        `input_db` is the loudness of the input in LUFS, if there is one.
        """
        gain_db = knobs.level - HEADROOM_DB - to_decibels(knobs.voices**0.5)
        if not knobs.follow_loudness or input_db is None or self.levels is None:
            return gain_db
        level = float(self.levels[position])
        most = FOLLOW_DB if level > NEAR_SILENCE_DB else 0.0
        return gain_db + knobs.follow_loudness * float(np.clip(input_db - level, -FOLLOW_DB, most))

    def row_of(self, position: int) -> np.ndarray:
        """Return the raw descriptors of a unit, float32, (n_descriptors,)."""
        return self.database.rows_at(np.array([position]))[0]

    @property
    def analysis_samples(self) -> int:
        """How long after a frame begins all is heard that describes it."""
        settings = self.database.settings
        centre = settings.hop_length // 2 if settings.window_centre == "span" else 0
        return centre + settings.n_fft // 2

    def close(self) -> None:
        """Close the files of sources."""
        self.reader.__exit__()
