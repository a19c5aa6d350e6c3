"""Decoded audio, kept on disk between renders: raw float32, in a folder of bounded size that may be
deleted at any time.
"""

import os
import tempfile
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xxhash

from audio.read import Resampler, open_audio
from files.cache import cache_errors, cache_folder, prune

CACHE_BYTES = 8 << 30  # of decoded audio are kept: six hours of stereo at 44.1 kHz
PART_SECONDS = 24 * 3600  # no decoding goes on for longer without writing


@dataclass(frozen=True)
class Entry:
    """A decoded file: little-endian float32, shape (n_samples, channels)."""

    path: Path
    n_samples: int


class DecodedCache:
    """Files are known by path, size, date and rate; the ones not used for longest are removed when
    there are too many.
    """

    def __init__(self, folder: Path | None = None, max_bytes: int = CACHE_BYTES) -> None:
        self._folder = folder or cache_folder("decoded")
        self._max_bytes = max_bytes
        self._used: set[Path] = set()
        self._lock = threading.Lock()

    def entry(self, source: Path, channels: int, sample_rate: int) -> Entry:
        """The file decoded at `sample_rate`; this takes time only once.

        Raises
        ------
        AudioError
            If the file cannot be decoded.
        ParameterError
            If there is no room for the result.
        """
        status = source.stat()
        identity = os.fsencode(
            f"{source.resolve()}\0{status.st_size}\0{status.st_mtime_ns}\0{sample_rate}"
        )
        path = self._folder / f"{xxhash.xxh3_128_hexdigest(identity)}.f32"
        with self._lock:
            self._used.add(path)
        while True:
            try:
                with suppress(PermissionError):  # another user's
                    os.utime(path)  # it was used now
                return Entry(path, path.stat().st_size // (4 * channels))
            except (
                FileNotFoundError,
                NotADirectoryError,
            ):  # also if another process prunes just now
                self._decode(source, path, channels, sample_rate)

    def _decode(self, source: Path, path: Path, channels: int, sample_rate: int) -> None:
        with cache_errors(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self._folder, suffix=".part")
            try:
                with open(handle, "wb") as file, open_audio(source) as (info, blocks):
                    same_rate = info.sample_rate == sample_rate
                    _write(
                        file,
                        (
                            blocks
                            if same_rate
                            else Resampler(info.sample_rate, sample_rate, channels).resample(blocks)
                        ),
                    )
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(name, path)
            finally:
                Path(name).unlink(missing_ok=True)

    def prune(self) -> None:
        """Remove what has not been used for longest, until the rest fits; what this object has used
        stays.
        """
        for path in self._folder.glob("*.part"):  # of a process that was killed
            with suppress(FileNotFoundError):
                if path.stat().st_mtime < time.time() - PART_SECONDS:
                    path.unlink()
        prune(self._folder.glob("*.f32"), self._max_bytes, in_use=self._used)


def _write(file, blocks: Iterable[np.ndarray]) -> None:
    for block in blocks:
        file.write(np.ascontiguousarray(block, "<f4").data)
