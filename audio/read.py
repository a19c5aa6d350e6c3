"""Read audio files: open, check, decode.

Files are recognised by their content, never by their name. A file is either read correctly, with a
warning if it had to be repaired, or refused with an `AudioError`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from audio.channels import integers_to_mono, to_mono
from audio.containers.layout import AS_IT_IS, Layout
from audio.decoder import Decoder
from files.errors import AudioError

READER_VERSION = 2  # counts changes in what is read of a file; that of version 0.1.0 is 1
# files with these are found in folders, whatever they hold
AUDIO_SUFFIXES = frozenset(
    {".wav", ".wave", ".w64", ".rf64", ".aif", ".aiff", ".aifc", ".flac", ".ogg", ".oga", ".opus"}
    | {".mp3", ".au", ".snd", ".caf"}
    | {".m4a", ".aac", ".mp4", ".wma"}  # mostly not decoded, which is then said
)
SEEKABLE_FORMATS = frozenset({"WAV", "WAVEX", "RF64", "W64", "AIFF", "FLAC", "AU", "CAF"})
BLOCK_SAMPLES = 1 << 18  # samples per read: 6 s at 44.1 kHz
MAX_SAMPLES = 1 << 32  # 27 h at 44.1 kHz; a header that states more is not believed
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
    """Decode a whole file at its own rate.

    Raises
    ------
    AudioError
        As `probe`, or if the file ends before its header says, or holds NaN or infinite samples.
    """
    with _open(path) as decoder:
        samples = np.concatenate(list(_raw_blocks(decoder)))
        is_finite = np.isfinite(samples).all(axis=1)
        if not is_finite.all():
            raise _not_finite(path, int((~is_finite).sum()), int(is_finite.argmin()))
        return Audio(samples, decoder.sample_rate)


def read_mono(path: str | Path) -> tuple[np.ndarray, AudioInfo]:
    """Decode a whole file to the mean of its channels.

    Memory holds no more than the mono signal and one block.

    Returns
    -------
    mono : ndarray, float32, shape (n_samples,), at the file's own rate
    info : AudioInfo

    Raises
    ------
    AudioError
        As `read_audio`.
    """
    with open_mono(path) as (info, blocks):
        return np.concatenate([*blocks, np.empty(0, np.float32)]), info


@contextmanager
def open_mono(path: str | Path) -> Iterator[tuple[AudioInfo, Iterator[np.ndarray]]]:
    """Decode a file from start to end to the mean of its channels, block by block.

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
        yield _info(decoder), _mono_blocks(path, decoder)


@contextmanager
def open_audio(path: str | Path) -> Iterator[tuple[AudioInfo, Iterator[np.ndarray]]]:
    """Decode a file as `open_mono` does, with all channels: (n_samples, channels)."""
    with _open(path) as decoder:
        yield _info(decoder), _blocks(path, decoder)


def _raw_blocks(decoder: Decoder, dtype: str = "float32") -> Iterator[np.ndarray]:
    while len(block := decoder.read(BLOCK_SAMPLES, dtype)):
        yield block


def _blocks(path: str | Path, decoder: Decoder) -> Iterator[np.ndarray]:
    n_read = 0
    for block in _raw_blocks(decoder):
        is_finite = np.isfinite(block).all(axis=1)
        if not is_finite.all():
            raise _not_finite(path, int((~is_finite).sum()), n_read + int(is_finite.argmin()))
        n_read += len(block)
        yield block


def _mono_blocks(path: str | Path, decoder: Decoder) -> Iterator[np.ndarray]:
    if decoder.subtype == "PCM_16" and decoder.channels <= 2:
        # as integers: half the bytes to move, and exactly the same result
        yield from map(integers_to_mono, _raw_blocks(decoder, "int16"))
        return
    n_read = 0
    n_bad = 0
    first_bad = 0
    for block in _raw_blocks(decoder):
        mono = to_mono(block)
        if not np.isfinite(mono).all():
            where = np.flatnonzero(~np.isfinite(block).all(axis=1))
            first_bad = first_bad if n_bad else n_read + int(where[0])
            n_bad += len(where)
        n_read += len(block)
        yield mono
    if n_bad:
        raise _not_finite(path, n_bad, first_bad)


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


def _not_finite(path: str | Path, count: int, first: int) -> AudioError:
    counted = "1 sample is" if count == 1 else f"{count} samples are"
    return AudioError(
        f"{Path(path).name}: {counted} NaN or infinite, the first at sample {first}; "
        "repair or re-export the file, or remove it"
    )
