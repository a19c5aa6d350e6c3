"""Decode an audio file: as it is, or the parts that its layout names, one after the other."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Self

import numpy as np
import soundfile as sf

from audio.channels import fit_channels
from audio.containers.kinds import layout_of
from audio.containers.layout import Layout, Part, Span, damaged, truncated
from audio.containers.view import View
from audio.library_noise import Noise
from audio.open_file import open_file
from files.errors import AudioError

DAMAGED_FRAMES = "some of its frames are damaged: what is heard there may be wrong"
LOUDEST = 4.0  # of what MPEG audio decodes to; beyond it only frames are that are damaged
COUNTED = 1 << 16  # samples at a time
SHORTEST_OPUS = 0.0025  # s, of a packet; if less is missing at the end, none is lost
MOST_PATH_BYTES = 1000  # libsndfile cuts longer paths off


class ForwardFile(sf.SoundFile):
    """A file that soundfile only reads from start to end.

    It seeks after each read of a seekable file, which takes half of the time for FLAC and makes MP3
    decode wrong samples.
    """

    def seekable(self) -> bool:
        return False


class Decoder:
    """An audio file that is decoded from start to end, or from any sample on if it can seek.

    Use it as a context manager.

    Parameters
    ----------
    layout : Layout, optional
        What is decoded of the file; found out if not given.

    Attributes
    ----------
    sample_rate, channels, n_samples : int
    format, subtype : str
        libsndfile's names for the container and its encoding.
    can_seek : bool
        libsndfile can go to any sample.
    layout : Layout

    Raises
    ------
    AudioError
        If the file cannot be opened, is no audio, is truncated or damaged, or if its parts differ
        in sample rate. Where they differ in channels, the largest number is that of the file.
    """

    def __init__(self, path: Path, layout: Layout | None = None) -> None:
        self._path = path
        self._raw = open_file(path)
        try:
            size = os.fstat(self._raw.fileno()).st_size
            with _named(path):
                self.layout = layout or layout_of(self._raw, size, path.name)
                if not self.layout.parts and len(os.fsencode(path)) > MOST_PATH_BYTES:
                    self._parts: tuple[Part | None, ...] = (Part((Span(0, size),)),)
                else:
                    self._parts = self.layout.parts or (None,)
                self._noise = Noise()
                self._open_all()
        except BaseException:
            self._raw.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._file.close()
        self._raw.close()

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was found so far."""
        damage = (DAMAGED_FRAMES,) if self._noise.is_heard else ()
        return self.layout.warnings + self._channel_warnings + damage

    def _open_all(self) -> None:
        """Open every part, since only so is the length known; the first stays open."""
        self._lengths = [0] * len(self._parts)
        rates = set()
        channels = set()
        for number in range(len(self._parts) - 1, -1, -1):
            self._open(number)
            rates.add(self._file.samplerate)
            channels.add(self._file.channels)
            if number or len(rates) > 1:
                self._file.close()
            if len(rates) > 1:
                raise _different(rates)
        self.sample_rate = rates.pop()
        self.channels = max(channels)
        self._channel_warnings: tuple[str, ...] = ()
        if len(channels) > 1:
            counts = " and ".join(map(str, sorted(channels)))
            self._channel_warnings = (f"its parts have {counts} channels: read as {self.channels}",)
        self.n_samples = sum(self._lengths)
        self.format = self._file.format
        self.subtype = self._file.subtype
        self.can_seek = len(self._parts) == 1 and sf.SoundFile.seekable(self._file)

    def _open(self, number: int) -> None:
        part = self._parts[number]
        try:
            with self._noise.caught():  # libsndfile asks libmpg123 about other files, too
                self._open_part(part)
        except (sf.LibsndfileError, TypeError, OSError) as error:
            self._check_view()
            raise AudioError(
                f"not readable as audio ({_reason(error)}); re-export the file as WAV or FLAC, or"
                " remove it"
            ) from error
        self._number = number
        self._at = 0
        if part and part.is_uncounted and not self._lengths[number]:
            while n_read := len(self._file.read(COUNTED, dtype="int16")):
                self._lengths[number] += n_read
            self._file.close()
            self._open(number)
        elif not self._lengths[number]:
            known = part.n_samples if part else None
            self._lengths[number] = self._file.frames if known is None else known

    def _open_part(self, part: Part | None) -> None:
        self._view = None
        if part is None or (self.layout.is_plain and part is self.layout.parts[0]):
            self._file = ForwardFile(self._path)
            if part is None or self._file.frames >= (part.n_samples or 0):
                return
            self._file.close()
        self._view = View(self._raw, part)
        self._file = ForwardFile(self._view)

    def seek(self, start_sample: int) -> None:
        """Go to a sample of a file that can seek."""
        with _named(self._path):
            try:
                self._file.seek(start_sample)
            except sf.LibsndfileError as error:
                self._check_view()
                raise damaged(f"sample {start_sample} cannot be reached") from error
        self._at = start_sample

    def read(self, n_samples: int, dtype: str = "float32") -> np.ndarray:
        """Decode the next samples, shape (n_samples, channels); fewer at the end of a part or file.

        Raises
        ------
        AudioError
            If there are fewer than the file's structure says.
        """
        with _named(self._path):
            while self._at == self._lengths[self._number]:
                if self._number + 1 == len(self._parts):
                    return np.empty((0, self.channels), dtype)
                self._file.close()
                self._open(self._number + 1)
            left = self._lengths[self._number] - self._at
            try:
                with self._quiet():
                    block = self._file.read(min(n_samples, left), dtype=dtype, always_2d=True)
            except sf.LibsndfileError as error:
                self._check_view()
                n_read = sum(self._lengths[: self._number]) + self._at
                raise damaged(f"it cannot be decoded after sample {n_read}") from error
            self._check_view()
            if self.layout.is_mpeg and max(block.max(initial=0), -block.min(initial=0)) > LOUDEST:
                self._noise.is_heard = True
                np.clip(block, -1, 1, out=block)
            if not len(block) and self._is_stated_longer(left):
                block = np.zeros((left, self._file.channels), dtype)
            self._at += len(block)
            if not len(block):
                n_read = sum(self._lengths[: self._number]) + self._at
                raise truncated(
                    f"its header promises {self.n_samples} samples but {n_read} can be read"
                )
            return fit_channels(block, self.channels)

    def _is_stated_longer(self, left: int) -> bool:
        """Whether the last page of Opus says that it ends some samples after its last packet."""
        return self.subtype == "OPUS" and left < SHORTEST_OPUS * self.sample_rate

    def _check_view(self) -> None:
        """Raise what the system refused while libsndfile read."""
        if self._view and self._view.error:
            raise AudioError(
                f"cannot be read ({self._view.error.strerror}); check the disk it lies on"
            ) from self._view.error

    def _quiet(self) -> AbstractContextManager[None]:
        prints = self.layout.is_mpeg or self.subtype.startswith("ALAC")
        return self._noise.caught() if prints else nullcontext()


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Put the file's name in front of the messages of a block's errors."""
    try:
        yield
    except AudioError as error:
        raise AudioError(f"{path.name}: {error}") from error.__cause__


def _different(rates: set[int]) -> AudioError:
    shown = " and ".join(f"{rate} Hz" for rate in sorted(rates))
    return AudioError(f"its parts differ ({shown}); cut it into files of one sample rate each")


def _reason(error: Exception) -> str:
    text = getattr(error, "error_string", "") or str(error)
    return text.strip().removeprefix("Error : ").rstrip(".") or "unknown format"
