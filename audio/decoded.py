"""A disk cache of decoded audio: raw float32, kept between renders, of bounded size.

The folder may be deleted at any time.
"""

import os
import tempfile
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import xxhash

from audio.read import open_audio
from audio.resample import resample_blocks
from files.cache import cache_errors, cache_folder, prune

CACHE_BYTES = 8 << 30  # six hours of stereo at 44.1 kHz
PART_SECONDS = 24 * 3600  # an older partial file was left behind by a killed process


@dataclass(frozen=True)
class Entry:
    """A decoded file: little-endian float32, shape (n_samples, channels)."""

    path: Path
    n_samples: int


class DecodedCache:
    """A cache of decoded files, identified by path, size, date and sample rate.

    When it outgrows `max_bytes`, `prune` removes the least recently used files.
    """

    def __init__(self, folder: Path | None = None, max_bytes: int = CACHE_BYTES) -> None:
        self._folder = folder or cache_folder("decoded")
        self._max_bytes = max_bytes
        self._used: set[Path] = set()
        self._lock = threading.Lock()

    def entry(self, source: Path, channels: int, sample_rate: int) -> Entry:
        """Return the entry of a file at `sample_rate`; decode the file if it is not cached.

        Raises
        ------
        AudioError
            If the file cannot be decoded.
        ParameterError
            If the result cannot be written.
        """
        path = self._path_of(source, sample_rate)
        with self._lock:
            self._used.add(path)
        while True:
            try:
                with suppress(PermissionError):  # another user's file
                    os.utime(path)  # mark it as used
                return Entry(path, path.stat().st_size // (4 * channels))
            except (FileNotFoundError, NotADirectoryError):
                # not decoded yet, or just now removed by another process
                self._decode(source, path, channels, sample_rate)

    def _path_of(self, source: Path, sample_rate: int) -> Path:
        status = source.stat()
        identity = f"{source.resolve()}\0{status.st_size}\0{status.st_mtime_ns}\0{sample_rate}"
        return self._folder / f"{xxhash.xxh3_128_hexdigest(os.fsencode(identity))}.f32"

    def _decode(self, source: Path, path: Path, channels: int, sample_rate: int) -> None:
        with cache_errors(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self._folder, suffix=".part")
            try:
                with open(handle, "wb") as file, open_audio(source) as (info, blocks):
                    rates = (info.sample_rate, sample_rate)
                    _write(file, resample_blocks(blocks, *rates, channels=channels))
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(name, path)
            finally:
                Path(name).unlink(missing_ok=True)

    def prune(self) -> None:
        """Remove the least recently used files until the rest fits.

        Files that this object has used stay.
        """
        for path in self._folder.glob("*.part"):  # left by a killed process
            with suppress(FileNotFoundError):
                if path.stat().st_mtime < time.time() - PART_SECONDS:
                    path.unlink()
        prune(self._folder.glob("*.f32"), self._max_bytes, in_use=self._used)


def _write(file: BinaryIO, blocks: Iterable[np.ndarray]) -> None:
    for block in blocks:
        file.write(np.ascontiguousarray(block, "<f4").data)
