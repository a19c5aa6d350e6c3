"""Sequences to search for: a file's own descriptors, or a forecast of how it goes on."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from audio.read import MAX_SAMPLES
from audio.warn import log_warnings
from db.analyse import describe_file
from db.beat_grid import BeatGrid
from db.database import Database
from db.sequence_file import load_sequence
from db.settings import DescriptorSettings
from db.units import step_lengths
from demiurge.model_descriptors import open_model
from demiurge.tracks import check_lasts, read_track
from files.errors import ParameterError
from files.progress import Progress, no_progress
from sequencer.sampling import AS_LEARNED, SamplingOptions

if TYPE_CHECKING:
    from sequencer.forecaster import Forecaster


@dataclass(frozen=True)
class DescriptorSequence:
    """A sequence to search for.

    Attributes
    ----------
    descriptors : ndarray, float32, shape (steps, n_descriptors), raw
    step_samples : ndarray, int64, shape (steps,)
        How long each step lasts.
    grid : BeatGrid, optional
        The beats, of a sound that was described in parts of beats.
    beats_of : str
        Whose they are: "the seed", or "the track" that it goes with.
    """

    descriptors: np.ndarray
    step_samples: np.ndarray
    grid: BeatGrid | None = None
    beats_of: str = "the seed"

    def __len__(self) -> int:
        return len(self.descriptors)


def describe(
    path: str | Path, settings: DescriptorSettings, *, whose: str = "the database"
) -> DescriptorSequence:
    """Read an audio file, a forecast or an original Demiurge descriptor file (.json) as a sequence.

    What was repaired on reading is logged.

    Raises
    ------
    AudioError, ParameterError
        If it cannot be read.
    DatabaseError
        If a forecast was made with other settings; the message says `whose` these are. Or if a
        model of the settings is not there or has changed.
    """
    path = Path(path)
    if path.suffix.lower() == ".json":
        sequence, theirs = load_sequence(path)
        if theirs is not None:
            settings.check_matches(theirs, mine=whose, theirs=str(path))
        return DescriptorSequence(sequence, step_lengths(sequence, settings))
    info, description = describe_file(path, settings, open_model)
    log_warnings(path, info.warnings)
    return DescriptorSequence(description.units, description.lengths, description.grid)


def forecast(
    seeds: list[str | Path],
    model: str | Path,
    *,
    steps: int | None = None,
    seconds: float | None = None,
    variations: int = 1,
    sampling: SamplingOptions = AS_LEARNED,
    accompanied: str | Path | None = None,
    database: Database | None = None,
    progress: Progress = no_progress,
) -> tuple[list[list[np.ndarray]], DescriptorSettings]:
    """Forecast how seeds go on, for exactly `steps` or at least `seconds`.

    They go with the track `accompanied`, a file that begins with each of them, if it is given.

    Returns
    -------
    forecasts : list of list of ndarray
        The variations of each seed, raw descriptors (steps, n_descriptors).
    settings : DescriptorSettings
        The settings they are in.

    Raises
    ------
    CheckpointError, AudioError, ParameterError
        If the model, a seed or the track cannot be used, or not exactly one of steps and seconds is
        given.
    DatabaseError
        If model and database, or a seed that is a forecast, have other descriptor settings.
    """
    from sequencer.forecaster import Forecaster

    forecaster = Forecaster.load(model)
    settings = forecaster.config.settings
    if database is not None:
        database.settings.check_matches(
            settings, mine=f"the database {database.path}", theirs=f"the model {model}"
        )
        settings = database.settings  # which are equal, and know where their models are
    n_steps = count_steps(settings, steps, seconds)
    sequences = [describe(seed, settings, whose=f"the model {model}") for seed in seeds]
    forecasts = forecast_sequences(
        sequences,
        forecaster,
        n_steps=n_steps,
        variations=variations,
        sampling=sampling,
        accompanied=accompanied,
        progress=progress,
    )
    return [[_cut(one, settings, seconds) for one in of_seed] for of_seed in forecasts], settings


def forecast_sequences(
    sequences: list[DescriptorSequence],
    forecaster: "Forecaster",
    *,
    n_steps: int,
    variations: int = 1,
    sampling: SamplingOptions = AS_LEARNED,
    accompanied: str | Path | None = None,
    progress: Progress = no_progress,
) -> np.ndarray:
    """Forecast `n_steps` steps after each sequence; raises as `forecast`.

    Returns
    -------
    ndarray, float32, shape (len(sequences), variations, n_steps, n_descriptors), raw
    """
    from sequencer.rollout import rollout
    from training.threads import torch_threads

    track = None
    if accompanied is not None:
        described = read_track(accompanied, forecaster)
        sample_rate = forecaster.config.settings.sample_rate
        for sequence in sequences:
            n_samples = int(sequence.step_samples.sum())
            check_lasts(accompanied, described, n_samples, sample_rate)
        track = described.track
    with torch_threads(1):
        return rollout(
            forecaster,
            [sequence.descriptors for sequence in sequences],
            n_steps=n_steps,
            variations=variations,
            sampling=sampling,
            track=track,
            progress=progress,
        )


def count_steps(settings: DescriptorSettings, steps: int | None, seconds: float | None) -> int:
    """Return a number of steps that is enough in any case."""
    if (steps is None) == (seconds is None):
        raise ParameterError("give either a number of steps or of seconds")
    shortest = settings.fixed_samples or settings.hop_length
    if settings.units_vary:
        shortest = max(1, round(settings.min_unit_ms * settings.sample_rate / 1000))
    most = MAX_SAMPLES // shortest
    if steps is not None:
        if steps > most:
            raise ParameterError(
                f"steps={steps} must be at most {most}: no audio may be longer than {MAX_SAMPLES}"
                " samples"
            )
        return steps
    assert seconds is not None
    check_seconds(seconds, settings)
    return max(1, int(np.ceil(seconds * settings.sample_rate / shortest)))


def check_seconds(seconds: float, settings: DescriptorSettings) -> None:
    """Raise a `ParameterError` unless audio may last for so long."""
    if not 0 < seconds * settings.sample_rate <= MAX_SAMPLES:
        raise ParameterError(
            f"seconds={seconds} must be a positive number, {MAX_SAMPLES // settings.sample_rate} at"
            " most"
        )


def _cut(sequence: np.ndarray, settings: DescriptorSettings, seconds: float | None) -> np.ndarray:
    """Return the first steps of a sequence, just enough to last `seconds`."""
    if seconds is None:
        return sequence
    ends = np.cumsum(step_lengths(sequence, settings))
    return sequence[: int(np.searchsorted(ends, seconds * settings.sample_rate)) + 1]
