"""Spans of one open file: through libsndfile, or straight from the disk where samples lie there as
they are.
"""

import os
from pathlib import Path
from typing import Protocol

import numpy as np
import soundfile as sf

from audio.read import AudioInfo, ForwardFile
from files.errors import AudioError


class Spans(Protocol):
    """An open file that fills `out`, float32, (n_samples, channels), from any sample on; EOFError
    where it ends too early.
    """

    channels: int
    n_samples: int

    def read(self, out: np.ndarray, start_sample: int) -> None: ...

    def close(self) -> None: ...


class ThroughLibrary:
    """Spans of a file that libsndfile seeks in exactly."""

    def __init__(self, path: Path, info: AudioInfo) -> None:
        self.channels = info.channels
        self.n_samples = info.n_samples
        self._file = ForwardFile(path)

    def read(self, out: np.ndarray, start_sample: int) -> None:
        self._file.seek(start_sample)
        if len(self._file.read(out=out, always_2d=True)) != len(out):
            raise EOFError

    def close(self) -> None:
        self._file.close()


class Raw:
    """Spans of little-endian float32 or 16-bit samples that lie in a file as they are: five times
    as fast.
    """

    def __init__(
        self, path: Path, channels: int, n_samples: int, *, offset: int = 0, integers: bool = False
    ) -> None:
        self.channels = channels
        self.n_samples = n_samples
        self._offset = offset
        self._integers = integers
        self._file = open(path, "rb", buffering=0)  # noqa: SIM115 - closed by close()

    def read(self, out: np.ndarray, start_sample: int) -> None:
        kept = np.empty(out.shape, "<i2") if self._integers else out
        self._file.seek(self._offset + start_sample * self.channels * kept.itemsize)
        rest = kept.data.cast("B")
        while rest:
            if not (n_read := self._file.readinto(rest)):
                raise EOFError
            rest = rest[n_read:]
        if self._integers:
            np.multiply(kept, np.float32(1 / 32768), out=out)

    def close(self) -> None:
        self._file.close()


def open_pcm(path: Path, info: AudioInfo) -> Spans:
    """A lossless file, in the fastest way that there is for it."""
    raw = info.format in ("WAV", "WAVEX") and info.subtype in ("PCM_16", "FLOAT")
    if raw and (offset := _data_offset(path)) is not None:
        return Raw(
            path, info.channels, info.n_samples, offset=offset, integers=info.subtype == "PCM_16"
        )
    return ThroughLibrary(path, info)


def _data_offset(path: Path) -> int | None:
    """Where the samples of a WAV begin; None if it is big-endian (RIFX) or libsndfile found them
    where no chunk says so.
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
    """Raise an AudioError unless the last sample that the header promises can be read."""
    file = open_pcm(path, info)
    try:
        file.read(np.empty((1, info.channels), np.float32), info.n_samples - 1)
    except (EOFError, sf.LibsndfileError) as error:
        raise AudioError(f"{path.name}: truncated: its last samples cannot be read") from error
    finally:
        file.close()
