"""Read audio files: open, check, decode.

Files are recognised by their content, never by their name. A file is either read correctly, with a
warning if it had to be repaired, or refused with an `AudioError`.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from audio.cancellation import Cancellation, listen
from audio.channels import integers_to_mono, to_mono
from audio.containers.layout import AS_IT_IS, Layout
from audio.decoder import Decoder
from audio.warn import log_warnings
from files.errors import AudioError

Result = TypeVar("Result")

READER_VERSION = 2  # counts changes in what is read of a file; that of version 0.1.0 is 1
# files with these are found in folders, whatever they hold
AUDIO_SUFFIXES = frozenset(
    {".wav", ".wave", ".w64", ".rf64", ".aif", ".aiff", ".aifc", ".flac", ".ogg", ".oga", ".opus"}
    | {".mp3", ".mp2", ".au", ".snd", ".caf", ".bwf"}
    | {".m4a", ".aac", ".mp4", ".wma"}  # mostly not decoded, which is then said
)
SEEKABLE_FORMATS = frozenset({"WAV", "WAVEX", "RF64", "W64", "AIFF", "FLAC", "AU", "CAF"})
BLOCK_SAMPLES = 1 << 18  # samples per read: 6 s at 44.1 kHz
BLOCK_VALUES = 1 << 24  # of all channels per read: 64 MB
MAX_SAMPLES = 1 << 32  # 27 h at 44.1 kHz; a header that states more is not believed
MAX_VALUE = 1e10  # of a sample, where 1 is full scale; the squares of larger ones overflow
MIN_RATE = 1_000  # Hz
MAX_RATE = 768_000  # Hz


@dataclass(frozen=True)
class AudioInfo:
    """The checked header of an audio file.

    Attributes
    ----------
    sample_rate, channels, n_samples : int
    seekable : bool
        Any part can be read directly and exactly. False for lossy formats, which decode correctly
        only from the start.
    format, subtype : str
        libsndfile's names for the container and its encoding.
    warnings : tuple of str
        What was repaired or is unusual, without the file's name.
    layout : Layout
        What is decoded of a seekable file.
    """

    sample_rate: int
    channels: int
    n_samples: int
    seekable: bool
    format: str
    subtype: str
    warnings: tuple[str, ...] = ()
    layout: Layout = AS_IT_IS


@dataclass(frozen=True)
class Audio:
    """Decoded audio: `samples` float32, shape (n_samples, channels); `sample_rate` in Hz."""

    samples: np.ndarray
    sample_rate: int


def probe(path: str | Path) -> AudioInfo:
    """Read and check the header of an audio file.

    Raises
    ------
    AudioError
        If the file is missing, unreadable, empty, truncated, or states an absurd sample rate or
        length.
    """
    with _open(path) as decoder:
        return _info(decoder)


def read_audio(path: str | Path) -> Audio:
    """Decode a whole file at its own rate; its warnings are logged.

    Raises
    ------
    AudioError
        As `probe`, or if the file ends before its header says, or holds samples that are NaN,
        infinite, or beyond `MAX_VALUE`.
    """
    with _open(path) as decoder:
        samples = np.concatenate(list(_raw_blocks(decoder)))
        if not _is_sound(samples):
            raise _no_sound(path, *_find_bad(samples))
        log_warnings(path, decoder.warnings)
        return Audio(samples, decoder.sample_rate)


def read_mono(path: str | Path) -> tuple[np.ndarray, AudioInfo]:
    """Decode a whole file to the mean of its channels, or its louder one if they cancel.

    Returns
    -------
    mono : ndarray, float32, shape (n_samples,), at the file's own rate
    info : AudioInfo

    Raises
    ------
    AudioError
        As `read_audio`.
    """
    return measure_mono(path, lambda _, blocks: np.concatenate([*blocks, np.empty(0, np.float32)]))


def measure_mono(
    path: str | Path, measure: Callable[[AudioInfo, Iterator[np.ndarray]], Result]
) -> tuple[Result, AudioInfo]:
    """Measure the mean of a file's channels, block by block.

    If the channels cancel each other in their mean, it is measured again by the louder channel.

    Parameters
    ----------
    measure : callable (info, blocks) -> result
        Called with what `open_mono` yields; it must read all blocks.

    Returns
    -------
    result
    info : AudioInfo
        With all warnings.

    Raises
    ------
    AudioError
        As `read_audio`.
    """
    with open_mono(path) as (header, blocks):
        result = measure(header, blocks)
        info = blocks.info()
    channel = blocks.cancellation.louder_channel
    if channel is None:
        return result, info
    del result
    with open_mono(path, channel=channel) as (header, again):
        warnings = (*info.warnings, blocks.cancellation.warning())
        return measure(header, again), replace(info, warnings=warnings)


@contextmanager
def open_mono(
    path: str | Path, *, channel: int | None = None
) -> Iterator[tuple[AudioInfo, "MonoBlocks"]]:
    """Decode a file from start to end to the mean of its channels, or to one of them.

    Yields
    ------
    info : AudioInfo
    blocks : iterator of ndarray, float32, shape (n_samples,), at the file's own rate
        At most `BLOCK_SAMPLES` each. Read all of them: some faults only show, and are raised, at
        the end of the file.

    Raises
    ------
    AudioError
        As `read_audio`.
    """
    with _open(path) as decoder:
        yield _info(decoder), MonoBlocks(path, decoder, channel)


@contextmanager
def open_audio(path: str | Path) -> Iterator[tuple[AudioInfo, Iterator[np.ndarray]]]:
    """Decode a file as `open_mono` does, with all channels: (n_samples, channels)."""
    with _open(path) as decoder:
        yield _info(decoder), _blocks(path, decoder)


def _raw_blocks(decoder: Decoder, dtype: str = "float32") -> Iterator[np.ndarray]:
    n_samples = min(BLOCK_SAMPLES, max(BLOCK_VALUES // decoder.channels, 1))
    while len(block := decoder.read(n_samples, dtype)):
        yield block


def _blocks(path: str | Path, decoder: Decoder) -> Iterator[np.ndarray]:
    n_read = 0
    for block in _raw_blocks(decoder):
        if not _is_sound(block):
            n_bad, first = _find_bad(block)
            raise _no_sound(path, n_bad, n_read + first)
        n_read += len(block)
        yield block


class MonoBlocks(Iterator[np.ndarray]):
    """The blocks of a file in mono; `cancellation` tells at the end whether its channels cancel."""

    def __init__(self, path: str | Path, decoder: Decoder, channel: int | None) -> None:
        self.cancellation = Cancellation(decoder.sample_rate, decoder.channels)
        self._path = path
        self._decoder = decoder
        self._channel = channel
        is_short = decoder.subtype == "PCM_16" and decoder.channels <= 2 and channel is None
        self._blocks = self._from_integers() if is_short else self._from_floats()

    def __next__(self) -> np.ndarray:
        return next(self._blocks)

    def info(self) -> AudioInfo:
        """Return the header with all warnings, once all blocks are read."""
        return _info(self._decoder)

    def _from_integers(self) -> Iterator[np.ndarray]:
        """Read 16-bit samples as integers: half the bytes to move, and exactly the same result."""
        for block in _raw_blocks(self._decoder, "int16"):
            yield integers_to_mono(block, self.cancellation)

    def _from_floats(self) -> Iterator[np.ndarray]:
        n_read = 0
        n_bad = 0
        first_bad = 0
        for block in _raw_blocks(self._decoder):
            mono = to_mono(block)
            if self._channel is not None:
                mono = listen(block, mono, self._channel)
            if not _is_sound(block):
                n_more, first = _find_bad(block)
                first_bad = first_bad if n_bad else n_read + first
                n_bad += n_more
                mono = np.zeros_like(mono)  # what is made of it is not used
            elif self._channel is None and block.shape[1] > 1:
                self.cancellation.add(block, mono)
            n_read += len(block)
            yield mono
        if n_bad:
            raise _no_sound(self._path, n_bad, first_bad)


@contextmanager
def _open(path: str | Path) -> Iterator[Decoder]:
    """Open and check a file."""
    path = Path(path)
    with Decoder(path) as decoder:
        _check_header(path, decoder)
        yield decoder


def _check_header(path: Path, decoder: Decoder) -> None:
    if decoder.n_samples <= 0:
        raise AudioError(f"{path.name}: 0 samples; re-export the file or remove it")
    if not MIN_RATE <= decoder.sample_rate <= MAX_RATE:
        raise AudioError(
            f"{path.name}: sample rate {decoder.sample_rate} Hz is not within {MIN_RATE} to"
            f" {MAX_RATE}; re-export the file"
        )
    if decoder.n_samples > MAX_SAMPLES:
        raise AudioError(
            f"{path.name}: the header promises {decoder.n_samples} samples, the limit is"
            f" {MAX_SAMPLES}; split or re-export the file"
        )


def _info(decoder: Decoder) -> AudioInfo:
    # GSM and G.72x cannot seek, whatever container they are in
    seekable = decoder.format in SEEKABLE_FORMATS and decoder.can_seek
    return AudioInfo(
        decoder.sample_rate,
        decoder.channels,
        decoder.n_samples,
        seekable,
        decoder.format,
        decoder.subtype,
        decoder.warnings,
        decoder.layout if seekable else AS_IT_IS,
    )


def _is_sound(samples: np.ndarray) -> bool:
    """Return whether all samples are numbers that a sound can have; NaN fails as well."""
    return not samples.size or bool(samples.min() >= -MAX_VALUE and samples.max() <= MAX_VALUE)


def _find_bad(block: np.ndarray) -> tuple[int, int]:
    """Return how many samples of a block are not, and the first."""
    is_bad = ~(np.abs(block) <= MAX_VALUE).all(axis=1)
    return int(is_bad.sum()), int(is_bad.argmax())


def _no_sound(path: str | Path, count: int, first: int) -> AudioError:
    what = ("1 sample is" if count == 1 else f"{count} samples are") + " NaN, infinite or beyond"
    where = f"{MAX_VALUE:g}, the first at sample {first}"
    advice = "repair or re-export the file, or remove it"
    return AudioError(f"{Path(path).name}: {what} {where}; {advice}")
