"""The spectra of a database's units, in bands, and their pitch.

A unit longer than a frame has the mean of its frames, each weighted by how much of it lies in the
unit; and the median pitch of those that have one, if these are half of it.
"""

import os
from collections.abc import Iterator
from functools import cached_property

import numpy as np

from db.band_filters import band_centres
from db.database import Database
from db.executors import run_tasks
from db.measure_bands import describe_bands
from files.errors import ParameterError
from files.progress import Progress, no_progress

BLOCK_FRAMES = 1 << 14  # frames held at a time: 10 MB of 160 bands

__all__ = ["Bands", "describe_bands"]


class Bands:
    """Magnitudes in bands of all units of a database.

    Attributes
    ----------
    centres : ndarray, float64, shape (n_bands,)
        Hz.
    """

    def __init__(self, database: Database, *, progress: Progress = no_progress) -> None:
        if any(database.semitones) or not all(source.is_stored for source in database.sources):
            raise ParameterError(
                f"{database.path}: transposed or included sources have no bands; give the database"
                " as it was opened"
            )
        settings = database.settings
        self.centres = band_centres(settings.sample_rate, settings.n_fft)
        self._hop = settings.hop_length
        self._units = database.units
        self._first = np.zeros(len(database.sources), np.int64)  # frame of each source
        self._measure(database, progress)

    def _measure(self, database: Database, progress: Progress) -> None:
        settings = database.settings
        files = [str(database.root / source.path) for source in database.sources]
        rows = []
        f0 = []

        def describe(file: str) -> tuple[np.ndarray, np.ndarray]:
            return describe_bands(file, settings)

        done = run_tasks(describe, files, executor="threads", jobs=os.cpu_count() or 1)
        n_frames = 0
        for number, (source_rows, source_f0) in enumerate(done):
            self._first[number] = n_frames
            n_frames += len(source_rows)
            rows.append(source_rows.astype(np.float16))
            f0.append(source_f0)
            progress(number + 1, len(files), "measuring spectra")
        self._frames = np.concatenate(rows)
        self._f0 = np.concatenate(f0)

    @cached_property
    def _spans(self) -> tuple[np.ndarray, np.ndarray]:
        """First frame of each unit, and the frame after its last, int64, (n_units,)."""
        units = self._units
        first = self._first[units.source]
        return (
            first + units.start_sample // self._hop,
            first - -(units.start_sample + units.n_samples) // self._hop,
        )

    def rows(self, positions: np.ndarray) -> np.ndarray:
        """Return the magnitudes of units, float32, shape (n, n_bands)."""
        numbers, weights, starts = self._frames_of(positions)
        rows = self._frames[numbers].astype(np.float32)
        if len(numbers) == len(positions):
            return rows
        return np.add.reduceat(rows * weights[:, None], starts, axis=0)

    def f0(self, positions: np.ndarray) -> np.ndarray:
        """Return the pitch of units in Hz, float32, shape (n,); 0 where there is none."""
        numbers, weights, starts = self._frames_of(positions)
        f0 = self._f0[numbers]
        if len(numbers) == len(positions):
            return f0
        parts = zip(np.split(f0, starts[1:]), np.split(weights, starts[1:]), strict=True)
        return np.array([_median_pitch(f0, weights) for f0, weights in parts], np.float32)

    def blocks(self) -> Iterator[np.ndarray]:
        """Yield the `rows` of all units in their order, some thousands at a time."""
        starts, ends = self._spans
        block = np.cumsum(ends - starts) // BLOCK_FRAMES
        for positions in np.split(np.arange(len(starts)), np.flatnonzero(np.diff(block)) + 1):
            if len(positions):
                yield self.rows(positions)

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
        firsts, ends = (bounds[positions] for bounds in self._spans)
        counts = ends - firsts
        starts = np.cumsum(counts) - counts
        unit = np.repeat(np.arange(len(counts)), counts)
        in_unit = np.arange(len(unit)) - starts[unit]
        begin = (self._units.start_sample[positions] % self._hop)[unit]
        n_samples = self._units.n_samples[positions][unit]
        from_sample = in_unit * self._hop - begin  # of the unit
        inside = np.minimum(from_sample + self._hop, n_samples) - np.maximum(from_sample, 0)
        return firsts[unit] + in_unit, (inside / n_samples).astype(np.float32), starts


def _median_pitch(f0: np.ndarray, weights: np.ndarray) -> float:
    has_pitch = f0 > 0
    total = weights[has_pitch].sum()
    if total < weights.sum() / 2:
        return 0.0
    order = np.argsort(f0[has_pitch])
    running = np.cumsum(weights[has_pitch][order])
    return float(f0[has_pitch][order][np.searchsorted(running, running[-1] / 2)])
