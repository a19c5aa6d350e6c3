"""The spectra of a database's units, in bands, and their pitch.

A unit longer than a frame has the mean of its frames, each weighted by how much of it lies in the
unit; and the median pitch of those that have one, if they are at least half of it.
"""

from collections.abc import Iterator
from functools import cached_property
from itertools import pairwise

import numpy as np

from db.band_filters import band_centres
from db.database import Database
from db.keep_bands import keep_bands
from db.measure_bands import describe_bands
from files.progress import Progress, no_progress

BLOCK_FRAMES = 1 << 14  # read at a time: 10 MB of 160 bands

__all__ = ["Bands", "describe_bands"]


class Bands:
    """Magnitudes in bands, and the pitch, of all units of a database.

    Attributes
    ----------
    centres : ndarray, float64, shape (n_bands,)
        Hz.
    """

    def __init__(self, database: Database, *, progress: Progress = no_progress) -> None:
        """Open what is kept of a database, and measure what is missing.

        Raises
        ------
        ParameterError
            If sources of the database are transposed, or included from elsewhere; or if the
            spectra cannot be kept anywhere.
        DatabaseError
            If a source that has to be measured is missing, or has changed since the analysis.
        """
        settings = database.settings
        self.centres = band_centres(settings.sample_rate, settings.n_fft)
        self._hop = settings.hop_length
        self._units = database.units
        store = keep_bands(database, progress=progress)
        self._frames = np.asarray(store.rows)
        spans = [store.spans[source.content_hash] for source in database.sources]
        self._first = np.array([span.first for span in spans], np.int64)  # frame of each source
        self._scale = np.ldexp(np.float32(1), [span.exponent for span in spans])

    def __len__(self) -> int:
        """Number of units."""
        return len(self._units)

    @cached_property
    def _ends(self) -> tuple[np.ndarray, np.ndarray]:
        """First frame of each unit, and the frame after its last, int64, (n_units,)."""
        units = self._units
        first = self._first[units.source]
        until_sample = units.start_sample + units.n_samples
        return first + units.start_sample // self._hop, first - -until_sample // self._hop

    def rows(self, positions: np.ndarray) -> np.ndarray:
        """Return the magnitudes of units, float32, shape (n, n_bands)."""
        rows = np.empty((len(positions), len(self.centres)), np.float32)
        for part in self._parts(positions):
            rows[part] = self._rows(positions[part])
        return rows

    def _rows(self, positions: np.ndarray) -> np.ndarray:
        numbers, weights, starts = self._frames_of(positions)
        rows = self._frames[numbers, :-1].astype(np.float32)
        if len(numbers) > len(positions):
            rows = np.add.reduceat(rows * weights[:, None], starts, axis=0)
        rows *= self._scale[self._units.source[positions], None]
        return rows

    def f0(self, positions: np.ndarray) -> np.ndarray:
        """Return the pitch of units in Hz, float32, shape (n,); 0 where there is none."""
        numbers, weights, starts = self._frames_of(positions)
        f0 = self._frames[numbers, -1].astype(np.float32)
        if len(numbers) == len(positions):
            return f0
        parts = zip(np.split(f0, starts[1:]), np.split(weights, starts[1:]), strict=True)
        return np.array([_median_pitch(*part) for part in parts], np.float32)

    def _parts(self, positions: np.ndarray) -> Iterator[slice]:
        """Yield the parts of positions whose frames are some `BLOCK_FRAMES`."""
        first, end = (ends[positions] for ends in self._ends)
        block = np.cumsum(end - first) // BLOCK_FRAMES
        bounds = [0, *(np.flatnonzero(np.diff(block)) + 1), len(positions)]
        for start, stop in pairwise(bounds):
            if start < stop:
                yield slice(start, stop)

    def _frames_of(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the frames of units, one unit after the other.

        Returns
        -------
        numbers : ndarray, int64, shape (n_frames,)
        weights : ndarray, float32, shape (n_frames,)
            The share of each in its unit.
        starts : ndarray, int64, shape (n,)
            Where the frames of each unit start.
        """
        first, end = (ends[positions] for ends in self._ends)
        counts = end - first
        starts = np.cumsum(counts) - counts
        unit = np.repeat(np.arange(len(counts)), counts)
        number = np.arange(len(unit)) - starts[unit]  # in the unit
        # where the frame starts, from the unit's start
        sample = number * self._hop - (self._units.start_sample[positions] % self._hop)[unit]
        n_samples = self._units.n_samples[positions][unit]
        inside = np.minimum(sample + self._hop, n_samples) - np.maximum(sample, 0)
        return first[unit] + number, (inside / n_samples).astype(np.float32), starts


def _median_pitch(f0: np.ndarray, weights: np.ndarray) -> float:
    """Return the weighted median of the frames with a pitch; 0 if they are less than half."""
    has_pitch = f0 > 0
    if weights[has_pitch].sum() < weights.sum() / 2:
        return 0.0
    order = np.argsort(f0[has_pitch])
    running = np.cumsum(weights[has_pitch][order])
    return float(f0[has_pitch][order][np.searchsorted(running, running[-1] / 2)])
