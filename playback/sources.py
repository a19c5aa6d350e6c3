"""Spans of sources, exact to the sample, at the plan's sample rate and channel count.

Lossless files at the plan's rate are read in place through open handles. Lossy files seek wrongly and other rates need the
whole file resampled, so those are decoded once, whole, and kept while there is room.
"""

from collections import OrderedDict
from pathlib import Path
from typing import Self

import numpy as np
import soundfile as sf

from db.audio import probe, read_audio, resample
from db.errors import PlanError

OPEN_FILES = 64  # handles kept open at a time
CACHE_BYTES = 256 << 20  # decoded audio kept at a time; one longer source may exceed it alone


class SourceReader:
    """Reads spans of the files under `root`. A context manager: leaving it closes the files."""

    def __init__(self, root: str | Path, *, sample_rate: int, channels: int, cache_bytes: int = CACHE_BYTES) -> None:
        self._root, self._sample_rate, self._channels = Path(root), sample_rate, channels
        self._cache_bytes = cache_bytes
        self._files: OrderedDict[str, sf.SoundFile] = OrderedDict()
        self._decoded: OrderedDict[str, np.ndarray] = OrderedDict()
        self._lengths: dict[str, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._files.values():
            file.close()
        self._files.clear()
        self._decoded.clear()

    def length(self, source: str) -> int:
        """Samples in the source at the plan's rate.

        Raises
        ------
        PlanError
            If the file is not there.
        AudioError
            If it cannot be read.
        """
        if source not in self._lengths:
            self._open(source)
        return self._lengths[source]

    def read(self, source: str, start_sample: int, n_samples: int) -> np.ndarray:
        """Exactly those samples, float32, shape (n_samples, channels).

        Raises
        ------
        PlanError
            If the source is missing or ends before the span does.
        AudioError
            If it cannot be read.
        """
        length = self.length(source)
        if start_sample + n_samples > length:
            raise PlanError(
                f"{source}: the plan plays samples {start_sample} to {start_sample + n_samples}, but the file has {length}; "
                "it has changed since the plan was made: restore it, or make the plan again"
            )
        if source not in self._files and source not in self._decoded:
            self._open(source)  # it was put aside to make room
        if source in self._decoded:
            self._decoded.move_to_end(source)
            return self._decoded[source][start_sample : start_sample + n_samples]
        self._files.move_to_end(source)
        file = self._files[source]
        if file.tell() != start_sample:
            file.seek(start_sample)
        return fit_channels(file.read(n_samples, dtype="float32", always_2d=True), self._channels)

    def _open(self, source: str) -> None:
        path = self._root / source
        if not path.is_file():
            raise PlanError(f"{source}: not in the corpus folder {self._root}; put it back, or name the folder with --root")
        info = probe(path)
        if info.seekable and info.sample_rate == self._sample_rate:
            while len(self._files) >= OPEN_FILES:
                self._files.popitem(last=False)[1].close()
            self._files[source] = sf.SoundFile(path)
            self._lengths[source] = info.n_samples
            return
        samples = fit_channels(read_audio(path).samples, self._channels)
        samples = resample(samples, info.sample_rate, self._sample_rate)
        while self._decoded and sum(a.nbytes for a in self._decoded.values()) + samples.nbytes > self._cache_bytes:
            self._decoded.popitem(last=False)
        self._decoded[source] = samples
        self._lengths[source] = len(samples)


def fit_channels(samples: np.ndarray, channels: int) -> np.ndarray:
    """(n_samples, any) -> (n_samples, channels).

    Mono is repeated on every channel; to mono the mean is taken; otherwise channels are kept in order, missing ones silent.
    """
    given = samples.shape[1]
    if given == channels:
        return samples
    if given == 1:
        return np.repeat(samples, channels, axis=1)
    if channels == 1:
        return samples.mean(axis=1, keepdims=True)
    if given > channels:
        return samples[:, :channels]
    return np.pad(samples, ((0, 0), (0, channels - given)))
