"""Measure the bands and the pitch of each frame of a sound."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from audio.read import AudioInfo, measure_mono
from audio.resample import resample_blocks
from db.band_filters import band_filters
from db.descriptors.frames import Frames, frames_of
from db.descriptors.yin import find_pitch
from db.settings import DescriptorSettings


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
        return _measure([np.asarray(sound, np.float32)], settings)

    def measure(info: AudioInfo, blocks: Iterator[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        return _measure(resample_blocks(blocks, info.sample_rate, settings.sample_rate), settings)

    return measure_mono(sound, measure)[0]


def _measure(
    blocks: Iterable[np.ndarray], settings: DescriptorSettings
) -> tuple[np.ndarray, np.ndarray]:
    rows = []
    f0 = []
    n_samples = 0

    def counted() -> Iterator[np.ndarray]:
        nonlocal n_samples
        for block in blocks:
            n_samples += len(block)
            yield block

    for frames in frames_of(counted(), settings):
        rows.append(measure_bands(frames))
        f0.append(_measure_pitch(frames))
    # librosa may add a frame at the very end, with no samples left to play
    n_frames = -(-n_samples // settings.hop_length)
    return np.concatenate(rows)[:n_frames], np.concatenate(f0)[:n_frames]


def measure_bands(frames: Frames) -> np.ndarray:
    """Return the magnitudes of frames in bands, float32, shape (frames, n_bands)."""
    settings = frames.settings
    filters = band_filters(settings.sample_rate, settings.n_fft)
    return (filters @ np.ascontiguousarray(frames.magnitude.T)).T


def _measure_pitch(frames: Frames) -> np.ndarray:
    energy = np.einsum("fs,fs->f", frames.samples, frames.samples)
    rms = np.sqrt(energy / frames.settings.n_fft)
    return find_pitch(frames.samples, rms, frames.settings.sample_rate)
