"""Read audio files: open, check, decode.

Files are recognised by their content, never by their name. A file is either read correctly or
refused with an `AudioError`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile as sf

from audio.channels import integers_to_mono, to_mono
from audio.truncation import check_complete, truncation
from files.errors import AudioError
from files.names import check_name

READER_VERSION = 2  # counts changes in what is read of a file; that of version 0.1.0 is 1
# libsndfile has no decoder for these
UNREADABLE_SUFFIXES = frozenset({".m4a", ".aac", ".mp4", ".wma"})
READABLE_SUFFIXES = frozenset(
    {".wav", ".wave", ".w64", ".rf64", ".aif", ".aiff", ".aifc", ".flac", ".ogg", ".oga", ".opus"}
    | {".mp3", ".au", ".snd", ".caf"}
)
AUDIO_SUFFIXES = READABLE_SUFFIXES | UNREADABLE_SUFFIXES
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
    """

    sample_rate: int
    channels: int
    n_samples: int
    seekable: bool
    format: str
    subtype: str
    warnings: tuple[str, ...] = ()


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
    with _open(path) as file:
        return _info(file)


def read_audio(path: str | Path) -> Audio:
    """Decode a whole file at its own rate.

    Raises
    ------
    AudioError
        As `probe`, or if the file ends before its header says, or holds NaN or infinite samples.
    """
    with _open(path) as file:
        samples = file.read(dtype="float32", always_2d=True)
        check_complete(path, file, len(samples))
        is_finite = np.isfinite(samples).all(axis=1)
        if not is_finite.all():
            raise _not_finite(path, int((~is_finite).sum()), int(is_finite.argmin()))
        return Audio(samples, file.samplerate)


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
    with _open(path, forward=True) as file:
        yield _info(file), _mono_blocks(path, file)


@contextmanager
def open_audio(path: str | Path) -> Iterator[tuple[AudioInfo, Iterator[np.ndarray]]]:
    """Decode a file as `open_mono` does, with all channels: (n_samples, channels)."""
    with _open(path, forward=True) as file:
        yield _info(file), _blocks(path, file)


def _blocks(path: str | Path, file: sf.SoundFile) -> Iterator[np.ndarray]:
    n_read = 0
    while len(block := file.read(BLOCK_SAMPLES, dtype="float32", always_2d=True)):
        is_finite = np.isfinite(block).all(axis=1)
        if not is_finite.all():
            raise _not_finite(path, int((~is_finite).sum()), n_read + int(is_finite.argmin()))
        n_read += len(block)
        yield block
    check_complete(path, file, n_read)


def _mono_blocks(path: str | Path, file: sf.SoundFile) -> Iterator[np.ndarray]:
    if file.subtype == "PCM_16" and file.channels <= 2:
        yield from _integer_mono_blocks(path, file)
        return
    n_read = 0
    n_bad = 0
    first_bad = 0
    while len(block := file.read(BLOCK_SAMPLES, dtype="float32", always_2d=True)):
        mono = to_mono(block)
        if not np.isfinite(mono).all():
            where = np.flatnonzero(~np.isfinite(block).all(axis=1))
            first_bad = first_bad if n_bad else n_read + int(where[0])
            n_bad += len(where)
        n_read += len(block)
        yield mono
    check_complete(path, file, n_read)
    if n_bad:
        raise _not_finite(path, n_bad, first_bad)


def _integer_mono_blocks(path: str | Path, file: sf.SoundFile) -> Iterator[np.ndarray]:
    """Read 16-bit samples as integers: half the bytes to move, and exactly the same result."""
    n_read = 0
    while len(block := file.read(BLOCK_SAMPLES, dtype="int16", always_2d=True)):
        n_read += len(block)
        yield integers_to_mono(block)
    check_complete(path, file, n_read)


class ForwardFile(sf.SoundFile):
    """A file that is only read from start to end.

    soundfile seeks after each read of a seekable file, which takes half of the time for FLAC and
    makes MP3 decode wrong samples.
    """

    def seekable(self) -> bool:
        return False


@contextmanager
def _open(path: str | Path, *, forward: bool = False) -> Iterator[sf.SoundFile]:
    """Open and check a file; a fault found while it is read becomes an `AudioError`, too."""
    path = Path(path)
    _check_path(path)
    try:
        file = ForwardFile(path) if forward else sf.SoundFile(path)
    except (sf.LibsndfileError, TypeError, OSError) as error:
        raise AudioError(
            f"{path.name}: not readable as audio ({_reason(error)}); re-export the file as WAV or"
            " FLAC, or remove it"
        ) from error
    with file:
        _check_header(path, file)
        try:
            yield file
        except sf.LibsndfileError as error:
            raise AudioError(
                f"{path.name}: damaged ({_reason(error)}); copy or export the file again, or"
                " remove it"
            ) from error


def _check_path(path: Path) -> None:
    """Refuse paths that libsndfile need not be asked about."""
    check_name(path)
    if path.is_dir():
        raise AudioError(f"{path}: a folder, not an audio file; give one of the files in it")
    if path.suffix.lower() in UNREADABLE_SUFFIXES:
        raise AudioError(
            f"{path.name}: AAC and WMA are not readable; convert it first, e.g. ffmpeg -i"
            f" {path.name} {path.stem}.flac"
        )
    if not path.exists():
        raise AudioError(f"{path}: no such audio file; check the name")
    if not path.is_file():
        raise AudioError(f"{path}: not a regular file; give an audio file on disk")
    if path.stat().st_size == 0:
        raise AudioError(f"{path.name}: 0 bytes; re-export the file or remove it")


def _check_header(path: Path, file: sf.SoundFile) -> None:
    if (shortfall := truncation(file)) is not None:
        raise AudioError(
            f"{path.name}: truncated, {shortfall}; copy or export the file again, or remove it"
        )
    if file.frames <= 0:
        raise AudioError(f"{path.name}: 0 samples; re-export the file or remove it")
    if not MIN_RATE <= file.samplerate <= MAX_RATE:
        raise AudioError(
            f"{path.name}: sample rate {file.samplerate} Hz is not within {MIN_RATE} to {MAX_RATE};"
            " re-export the file"
        )
    if file.frames > MAX_SAMPLES:
        raise AudioError(
            f"{path.name}: the header promises {file.frames} samples, the limit is {MAX_SAMPLES};"
            " split or re-export the file"
        )


def _info(file: sf.SoundFile) -> AudioInfo:
    # GSM and G.72x cannot seek, whatever container they are in
    seekable = file.format in SEEKABLE_FORMATS and sf.SoundFile.seekable(file)
    return AudioInfo(
        file.samplerate, file.channels, file.frames, seekable, file.format, file.subtype
    )


def _reason(error: Exception) -> str:
    text = getattr(error, "error_string", "") or str(error)
    return text.strip().rstrip(".") or "unknown format"


def _not_finite(path: str | Path, count: int, first: int) -> AudioError:
    counted = "1 sample is" if count == 1 else f"{count} samples are"
    return AudioError(
        f"{Path(path).name}: {counted} NaN or infinite, the first at sample {first}; "
        "repair or re-export the file, or remove it"
    )
