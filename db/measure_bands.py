"""Measure the bands and the pitch of each frame of a sound."""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from audio.read import AudioInfo, measure_mono
from audio.resample import resample_blocks
from db.band_filters import band_centres, band_filters
from db.descriptors.frames import Frames, frames_of
from db.follow_pitch import CANDIDATES, follow_pitch, pitch_candidates
from db.settings import DescriptorSettings
from db.spool import Spool
from files.errors import DemiurgeError
from files.hashing import hash_file
from files.names import without_name
from files.regular import why_unreadable
from files.remote import RemoteObject
from files.remote_cache import fetched

MOST = 1 << 15  # of a band on disk, where it is a float16
LEAST_EXPONENT = -64  # of a source; what is that quiet is silence

Rows = TypeVar("Rows")


@dataclass(frozen=True)
class BandTask:
    """One source to measure.

    Attributes
    ----------
    path : str or RemoteObject
        An object is fetched where it is measured.
    content_hash : str
    n_bytes, modified_ns : int
        As in `db.source.Source`; a file with other ones must have the same hash.
    n_frames : int
    settings : DescriptorSettings
    """

    path: str | RemoteObject
    content_hash: str
    n_bytes: int
    modified_ns: int
    n_frames: int
    settings: DescriptorSettings


@dataclass(frozen=True)
class MeasuredBands:
    """The rows of a source as they are kept, or an error.

    Attributes
    ----------
    rows : ndarray, float16, shape (n_frames, n_bands + 1), optional
        Bands times 2 ** -exponent, and the pitch.
    exponent : int
    error : str, optional
    """

    rows: np.ndarray | None = None
    exponent: int = 0
    error: str | None = None


def measure_source(task: BandTask) -> MeasuredBands:
    """Measure one source; a failure is returned, not raised."""
    if isinstance(task.path, str):
        return _measure_task(task.path, task)
    try:
        with fetched(task.path) as (copy, _):
            return _measure_task(str(copy), task)
    except DemiurgeError as error:
        return MeasuredBands(error=without_name(str(error), str(task.path)))


def _measure_task(path: str, task: BandTask) -> MeasuredBands:
    changed = MeasuredBands(error="has changed since the analysis; run demiurge db build again")
    try:
        before = os.stat(path)
        stamp = (before.st_size, before.st_mtime_ns)
        is_same = stamp == (task.n_bytes, task.modified_ns)
        if not is_same and hash_file(path) != task.content_hash:
            return changed
        (rows, exponent), f0 = _measure_file(path, task.settings, _to_float16)
        after = os.stat(path)
    except OSError as error:
        return MeasuredBands(error=why_unreadable(path, error))
    except DemiurgeError as error:
        return MeasuredBands(error=without_name(str(error), path))
    except MemoryError:
        return MeasuredBands(error="too long to fit in memory; split the file")
    if stamp != (after.st_size, after.st_mtime_ns) or len(rows) != task.n_frames:
        return changed
    return MeasuredBands(np.column_stack([rows, f0.astype(np.float16)]), exponent)


def describe_bands(
    sound: str | Path | np.ndarray, settings: DescriptorSettings
) -> tuple[np.ndarray, np.ndarray]:
    """Measure an audio file, or mono samples at the settings' rate, frame by frame.

    The frames are those of `db.analyse.describe_file`.

    Returns
    -------
    rows : ndarray, float32, shape (frames, n_bands)
        Magnitudes.
    f0 : ndarray, float32, shape (frames,)
        Hz; 0 where there is no pitch.

    Raises
    ------
    AudioError
        If a file cannot be read.
    """
    if isinstance(sound, np.ndarray):
        return _measure([np.asarray(sound, np.float32)], settings, _to_float32)
    return _measure_file(sound, settings, _to_float32)


def _measure_file(
    path: str | Path, settings: DescriptorSettings, gather: Callable[[Spool, tuple[int, int]], Rows]
) -> tuple[Rows, np.ndarray]:
    def measure(info: AudioInfo, blocks: Iterator[np.ndarray]) -> tuple[Rows, np.ndarray]:
        resampled = resample_blocks(blocks, info.sample_rate, settings.sample_rate)
        return _measure(resampled, settings, gather)

    return measure_mono(path, measure)[0]


def _measure(
    blocks: Iterable[np.ndarray],
    settings: DescriptorSettings,
    gather: Callable[[Spool, tuple[int, int]], Rows],
) -> tuple[Rows, np.ndarray]:
    """Measure a signal; `gather` makes rows of a shape from the magnitudes."""
    candidates = [np.empty((0, CANDIDATES, 2), np.float32)]
    n_samples = 0

    def counted() -> Iterator[np.ndarray]:
        nonlocal n_samples
        for block in blocks:
            n_samples += len(block)
            yield block

    with closing(Spool()) as spool:
        for frames in frames_of(counted(), settings):
            spool.append(measure_bands(frames))
            candidates.append(pitch_candidates(frames))
        # librosa may add a frame at the very end, with no samples left to play
        n_frames = -(-n_samples // settings.hop_length)
        n_bands = len(band_centres(settings.sample_rate, settings.n_fft))
        f0 = follow_pitch(np.concatenate(candidates)[:n_frames])
        return gather(spool, (n_frames, n_bands)), f0


def measure_bands(frames: Frames) -> np.ndarray:
    """Return the magnitudes of frames in bands, float32, shape (frames, n_bands)."""
    settings = frames.settings
    filters = band_filters(settings.sample_rate, settings.n_fft)
    return (filters @ np.ascontiguousarray(frames.magnitude.T)).T


def _to_float32(spool: Spool, shape: tuple[int, int]) -> np.ndarray:
    return _fill(np.empty(shape, np.float32), spool, scale=1.0)


def _to_float16(spool: Spool, shape: tuple[int, int]) -> tuple[np.ndarray, int]:
    """Return rows times 2 ** -exponent, so that the largest value just fits; and the exponent."""
    peak = max((float(block.max()) for block in spool), default=0.0)
    exponent = max(int(np.frexp(peak / MOST)[1]), LEAST_EXPONENT)
    return _fill(np.empty(shape, np.float16), spool, scale=2.0**-exponent), exponent


def _fill(rows: np.ndarray, spool: Spool, *, scale: float) -> np.ndarray:
    first = 0
    for block in spool:
        rows[first : first + len(block)] = block[: len(rows) - first] * np.float32(scale)
        first += len(block)
    return rows
