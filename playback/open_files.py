"""An open source that can be read from any sample on.

It is read through libsndfile; or directly from disk, which is five times as fast, if the file holds
plain PCM or float samples and needs no repair.
"""

import os
from pathlib import Path
from typing import Protocol

import numpy as np

from audio.decoder import Decoder
from audio.read import AudioInfo
from files.errors import AudioError


class OpenFile(Protocol):
    """Fills `out`, float32, shape (n_samples, channels), from any sample on.

    Raises EOFError if the file ends too early.

    `is_finite` is True if its samples are known to be neither NaN nor infinite.
    """

    channels: int
    n_samples: int
    is_finite: bool

    def read(self, out: np.ndarray, start_sample: int) -> None: ...

    def close(self) -> None: ...


class LibraryFile:
    """A file that is read through libsndfile, in a format in which it seeks exactly."""

    def __init__(self, path: Path, info: AudioInfo) -> None:
        self.channels = info.channels
        self.n_samples = info.n_samples
        self.is_finite = False
        self._decoder = Decoder(path, info.layout)

    def read(self, out: np.ndarray, start_sample: int) -> None:
        self._decoder.seek(start_sample)
        n_read = 0
        while n_read < len(out):
            block = self._decoder.read(len(out) - n_read)
            if not len(block):
                raise EOFError
            out[n_read : n_read + len(block)] = block
            n_read += len(block)

    def close(self) -> None:
        self._decoder.close()


class RawFile:
    """A file with little-endian float32 or 16-bit samples from some byte on."""

    def __init__(
        self,
        path: Path,
        channels: int,
        n_samples: int,
        *,
        offset: int = 0,
        integers: bool = False,
        is_finite: bool = False,
    ) -> None:
        self.channels = channels
        self.n_samples = n_samples
        self.is_finite = is_finite or integers
        self._offset = offset
        self._integers = integers
        self._file = open(path, "rb", buffering=0)  # noqa: SIM115 - closed by close()

    def read(self, out: np.ndarray, start_sample: int) -> None:
        stored = np.empty(out.shape, "<i2") if self._integers else out
        self._file.seek(self._offset + start_sample * self.channels * stored.itemsize)
        rest = stored.data.cast("B")
        while rest:
            n_read = self._file.readinto(rest)
            if not n_read:
                raise EOFError
            rest = rest[n_read:]
        if self._integers:
            np.multiply(stored, np.float32(1 / 32768), out=out)

    def close(self) -> None:
        self._file.close()


def open_in_place(path: Path, info: AudioInfo) -> OpenFile:
    """Open a lossless file in the fastest way that it allows."""
    plain = plain_samples(path, info)
    if plain is None:
        return LibraryFile(path, info)
    offset, integers = plain
    return RawFile(path, info.channels, info.n_samples, offset=offset, integers=integers)


def plain_samples(path: Path, info: AudioInfo) -> tuple[int, bool] | None:
    """Return the byte at which plain samples begin, and whether they are 16-bit integers.

    None if they are neither that nor float32.
    """
    is_plain = info.format in ("WAV", "WAVEX") and info.subtype in ("PCM_16", "FLOAT")
    if not is_plain or info.layout.parts:
        return None
    offset = _data_offset(path)
    return None if offset is None else (offset, info.subtype == "PCM_16")


def _data_offset(path: Path) -> int | None:
    """Return the byte at which the samples of a WAV begin.

    None if the file is big-endian (RIFX) or has no data chunk.
    """
    with open(path, "rb") as file:
        if file.read(12)[:4] != b"RIFF":
            return None
        while (head := file.read(8))[:4] != b"data":
            if len(head) < 8:
                return None
            size = int.from_bytes(head[4:], "little")
            file.seek(size + size % 2, os.SEEK_CUR)
        return file.tell()


def check_end(path: Path, info: AudioInfo) -> None:
    """Raise an `AudioError` unless the last sample that the header promises can be read."""
    file = open_in_place(path, info)
    try:
        file.read(np.empty((1, info.channels), np.float32), info.n_samples - 1)
    except (EOFError, AudioError) as error:
        raise AudioError(
            f"{path.name}: truncated, its last samples cannot be read; copy or export it again"
        ) from error
    finally:
        file.close()
