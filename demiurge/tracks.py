"""Tracks that sources go with: pairs in a database, and the file that a continuation goes with."""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import takewhile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from audio.warn import log_warnings
from db.analyse import describe_file
from db.beat_grid import BeatGrid
from db.database import Database
from files.errors import ParameterError
from sequencer.split import NamedSequences
from sequencer.tracks import Tracks

if TYPE_CHECKING:
    from sequencer.forecaster import Forecaster
    from sequencer.track import Track


def pair_tracks(database: Database, pattern: str) -> tuple[NamedSequences, Tracks]:
    """Return the sequences of sources that may go with a track, and the tracks.

    A track is a source whose name matches `pattern` as `fnmatch` reads it; it goes with the other
    sources of its folder. If several match there, each source has the one whose name begins most
    alike.

    Raises
    ------
    ParameterError
        If no source matches, none is left, no two are in one folder, or the database does not hold
        the frames of a track.
    """
    paths = [PurePosixPath(source.path) for source in database.sources]
    is_track = [fnmatchcase(path.name, pattern) for path in paths]
    if not any(is_track):
        raise ParameterError(
            f"--with {pattern}: no source of {database.path} is called so; give the file name of"
            " the tracks that others go with, such as drums.wav or '*_drums.wav'"
        )
    sequences = []
    frames = {}
    for number, path in enumerate(paths):
        if is_track[number]:
            continue
        sequences.append((str(path), database.source_descriptors(number)))
        beside = [
            other
            for other, of_track in enumerate(is_track)
            if of_track and paths[other].parent == path.parent
        ]
        if beside:
            alike = [_alike(path.name, paths[other].name) for other in beside]
            chosen = beside[alike.index(max(alike))]
            frames[str(path)] = _frames(database, chosen)
    if not frames:
        raise ParameterError(
            f"--with {pattern}: no other source of {database.path} is in the folder of one that is"
            " called so; tracks that go together belong in one folder"
        )
    return sequences, Tracks(pattern, frames)


def _alike(first: str, second: str) -> int:
    """Return how many characters two names have in common at their beginning."""
    return len(list(takewhile(lambda pair: pair[0] == pair[1], zip(first, second, strict=False))))


def _frames(database: Database, number: int) -> np.ndarray:
    frames = database.source_frames(number)
    if not len(frames):
        raise ParameterError(
            f"{database.path} does not hold the frames of {database.sources[number].path}, since it"
            " was imported from a table; build a database of the audio"
        )
    return frames


@dataclass(frozen=True)
class Accompanied:
    """A file that is gone along with: the track, and its beats if units are parts of beats."""

    track: "Track"
    grid: BeatGrid | None
    n_samples: int

    def has_surer_pulse(self, grid: BeatGrid | None) -> bool:
        """Return whether its beats are surer than those of a seed."""
        if self.grid is None or grid is None:
            return False
        return self.grid.confidence > grid.confidence


def read_track(path: str | Path, forecaster: "Forecaster") -> Accompanied:
    """Describe an audio file that a forecaster shall go along with.

    Raises
    ------
    ParameterError
        If the forecaster was not trained to go with a track, or the file is a forecast.
    AudioError
        If it cannot be read.
    """
    from sequencer.conditions import check_accompanies
    from sequencer.track import Track

    check_accompanies(forecaster)
    if Path(path).suffix.lower() == ".json":
        raise ParameterError(f"--with {path}: a forecast is no track; give an audio file")
    info, description = describe_file(path, forecaster.config.settings)
    log_warnings(Path(path), info.warnings)
    return Accompanied(
        Track(forecaster, description.frames), description.grid, description.n_samples
    )


def check_lasts(path: str | Path, accompanied: Accompanied, seed_samples: int, rate: int) -> None:
    """Raise ParameterError unless a track goes on after the seed, which begins with it."""
    if accompanied.n_samples <= seed_samples:
        raise ParameterError(
            f"--with {path}: it lasts {accompanied.n_samples / rate:.1f} s and the seed"
            f" {seed_samples / rate:.1f} s; both begin together, so give one that goes on longer"
        )
