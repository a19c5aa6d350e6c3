"""Audio files in: open, check, read, resample.

Files are recognised by their content, never by their name. A file is either read right or refused
with an `AudioError`.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile as sf
import soxr

from audio.truncation import check_complete, truncation
from files.errors import AudioError
from files.names import check_name

UNREADABLE_SUFFIXES = frozenset(
    {".m4a", ".aac", ".mp4", ".wma"}
)  # libsndfile has no decoder for these
AUDIO_SUFFIXES = UNREADABLE_SUFFIXES | {
    ".wav",
    ".wave",
    ".aif",
    ".aiff",
    ".aifc",
    ".flac",
    ".ogg",
    ".oga",
    ".opus",
    ".mp3",
    ".au",
    ".snd",
    ".caf",
    ".w64",
    ".rf64",
}
SEEKABLE_FORMATS = frozenset({"WAV", "WAVEX", "RF64", "W64", "AIFF", "FLAC", "AU", "CAF"})
BLOCK_SAMPLES = 1 << 18  # samples per read: 6 s at 44.1 kHz
CACHED_SAMPLES = 1 << 14  # stereo samples converted at a time: they stay in the processor's cache
MAX_SAMPLES = 1 << 32  # 27 h at 44.1 kHz; a header that promises more is not believed
# Hz
MIN_RATE = 1_000
MAX_RATE = 768_000


@dataclass(frozen=True)
class AudioInfo:
    """What the header of an audio file says, checked.

    `seekable`: spans can be read directly and exactly. False for lossy formats, where only a whole
    read is right. `format` and `subtype` are libsndfile's names for what it is.
    """

    sample_rate: int
    channels: int
    n_samples: int
    seekable: bool
    format: str
    subtype: str


@dataclass(frozen=True)
class Audio:
    """Decoded audio: `samples` float32, shape (n_samples, channels), and its `sample_rate` in Hz."""

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
    """Decode a whole file.

    Returns
    -------
    Audio
        float32 samples, shape (n_samples, channels), at the file's own rate.

    Raises
    ------
    AudioError
        As `probe`, and if the file ends before its header says, or holds NaN or infinite samples.
    """
    with _open(path) as file:
        samples = file.read(dtype="float32", always_2d=True)
        check_complete(path, file, len(samples))
        _check_finite(path, samples)
        return Audio(samples, file.samplerate)


def read_mono(path: str | Path) -> tuple[np.ndarray, AudioInfo]:
    """Decode a whole file to the mean of its channels, never holding more than the mono signal and
    one block.

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
    """Decode a file from front to back to the mean of its channels, in blocks of at most
    `BLOCK_SAMPLES`.

    Yields
    ------
    info : AudioInfo
    blocks : iterator of ndarray, float32, shape (n_samples,), at the file's own rate
        Exhaust it: what is wrong with the whole file is known only at its end, and raised there.

    Raises
    ------
    AudioError
        As `read_audio`.
    """
    with _open(path, forward=True) as file:
        yield _info(file), _mono_blocks(path, file)


@contextmanager
def open_audio(path: str | Path) -> Iterator[tuple[AudioInfo, Iterator[np.ndarray]]]:
    """As `open_mono` with the channels kept: blocks of float32, shape (n_samples, channels)."""
    with _open(path, forward=True) as file:
        yield _info(file), _blocks(path, file)


def _blocks(path: str | Path, file: sf.SoundFile) -> Iterator[np.ndarray]:
    n_read = 0
    while len(block := file.read(BLOCK_SAMPLES, dtype="float32", always_2d=True)):
        if not (finite := np.isfinite(block).all(axis=1)).all():
            raise _not_finite(path, int((~finite).sum()), n_read + int(finite.argmin()))
        n_read += len(block)
        yield block
    check_complete(path, file, n_read)


def _mono_blocks(path: str | Path, file: sf.SoundFile) -> Iterator[np.ndarray]:
    integers = (
        file.subtype == "PCM_16" and file.channels <= 2
    )  # half the bytes to move, and the same result exactly
    n_read = 0
    bad = 0
    first_bad = 0
    while len(
        block := file.read(BLOCK_SAMPLES, dtype="int16" if integers else "float32", always_2d=True)
    ):
        mono = _integers_to_mono(block) if integers else to_mono(block)
        if not integers and not np.isfinite(mono).all():
            where = np.flatnonzero(~np.isfinite(block).all(axis=1))
            first_bad = first_bad if bad else n_read + int(where[0])
            bad += len(where)
        n_read += len(block)
        yield mono
    check_complete(path, file, n_read)
    if bad:
        raise _not_finite(path, bad, first_bad)


def _integers_to_mono(block: np.ndarray) -> np.ndarray:
    """int16 (n_samples, 1 or 2) -> float32 (n_samples,); exact: 17 bits fit a float32."""
    if block.shape[1] == 1:
        return block[:, 0] * np.float32(1 / 32768)
    mono = np.empty(len(block), np.float32)
    for start in range(0, len(block), CACHED_SAMPLES):
        pairs = block[start : start + CACHED_SAMPLES].astype(np.float32)
        np.add(pairs[:, 0], pairs[:, 1], out=mono[start : start + CACHED_SAMPLES])
    mono *= np.float32(1 / 65536)
    return mono


def to_mono(samples: np.ndarray) -> np.ndarray:
    """Mean of the channels: (n_samples, channels) -> (n_samples,)."""
    if samples.shape[1] == 1:
        return samples[:, 0]
    if samples.shape[1] == 2:
        return (samples[:, 0] + samples[:, 1]) * np.float32(0.5)
    return samples.mean(axis=1)


def resampled_length(n_samples: int, from_rate: int, to_rate: int) -> int:
    """Length of `n_samples` at `from_rate` once at `to_rate`: rounded up, in exact arithmetic."""
    return -(-n_samples * to_rate // from_rate)


def resample(samples: np.ndarray, from_rate: int, to_rate: int) -> np.ndarray:
    """Resample with soxr HQ, librosa's default.

    Parameters
    ----------
    samples : ndarray, float32, shape (n_samples,) or (n_samples, channels)
    from_rate, to_rate : int > 0
        Hz.

    Returns
    -------
    ndarray, float32, shape (resampled_length, ...)
    """
    if from_rate == to_rate:
        return samples
    length = resampled_length(len(samples), from_rate, to_rate)
    out = soxr.resample(samples, from_rate, to_rate, quality="HQ").astype(np.float32, copy=False)
    if len(out) < length:  # soxr rounds the length; the last fraction of a sample is silence
        out = np.concatenate([out, np.zeros((length - len(out), *out.shape[1:]), np.float32)])
    return out[:length]


class Resampler:
    """`resample` for a signal that comes in blocks; the samples are the same."""

    def __init__(self, from_rate: int, to_rate: int, channels: int = 1) -> None:
        self._rates = (from_rate, to_rate)
        self._stream = soxr.ResampleStream(
            from_rate, to_rate, channels, dtype="float32", quality="HQ"
        )

    def resample(self, blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """float32 (n,) or (n, channels) blocks -> blocks of `resampled_length` samples in all."""
        n_in = 0
        n_out = 0
        shape = ()
        for block in blocks:
            n_in = n_in + len(block)
            shape = block.shape[1:]
            out = self._stream.resample_chunk(block)
            n_out += len(out)
            yield out
        length = resampled_length(n_in, *self._rates)
        tail = self._stream.resample_chunk(np.empty((0, *shape), np.float32), last=True)[
            : length - n_out
        ]
        missing = np.zeros((length - n_out - len(tail), *shape), np.float32)
        yield np.concatenate(
            [tail, missing]
        )  # soxr rounds the length; a last fraction of a sample is silence


class ForwardFile(sf.SoundFile):
    """A file read from front to back only.

    soundfile seeks after each read of a seekable file: that costs half the time of FLAC, and MP3
    then decodes wrong samples.
    """

    def seekable(self) -> bool:
        return False


@contextmanager
def _open(path: str | Path, *, forward: bool = False) -> Iterator[sf.SoundFile]:
    """A checked, open file; what libsndfile finds wrong while reading it becomes an `AudioError`."""
    path = Path(path)
    with _open_checked(path, ForwardFile if forward else sf.SoundFile) as file:
        try:
            yield file
        except sf.LibsndfileError as error:
            raise AudioError(
                f"{path.name}: damaged ({_reason(error)}); copy or export the file again, or"
                " remove it"
            ) from error


def _open_checked(path: Path, kind: type[sf.SoundFile]) -> sf.SoundFile:
    check_name(path)
    if path.is_dir():
        raise AudioError(f"{path}: a folder, not an audio file; give one of the files in it")
    if path.suffix.lower() in UNREADABLE_SUFFIXES:
        raise AudioError(
            f"{path.name}: AAC and WMA are not readable; convert it first, e.g. ffmpeg -i"
            f" {path.name} {path.stem}.flac"
        )
    if not path.is_file():
        what = (
            "no regular file; give a file that stays"
            if path.exists()
            else "no such audio file; check the name"
        )
        raise AudioError(f"{path}: {what}")
    if path.stat().st_size == 0:
        raise AudioError(f"{path.name}: 0 bytes; re-export the file or remove it")
    try:
        file = kind(path)
    except (sf.LibsndfileError, TypeError, OSError) as error:
        raise AudioError(
            f"{path.name}: not readable as audio ({_reason(error)}); re-export the file as WAV or"
            " FLAC, or remove it"
        ) from error
    try:
        _check_header(path, file)
    except AudioError:
        file.close()
        raise
    return file


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
    seekable = file.format in SEEKABLE_FORMATS and sf.SoundFile.seekable(
        file
    )  # not GSM and G.72x, whatever they are in
    return AudioInfo(
        file.samplerate, file.channels, file.frames, seekable, file.format, file.subtype
    )


def _reason(error: Exception) -> str:
    text = getattr(error, "error_string", "") or str(error)
    return text.strip().rstrip(".") or "unknown format"


def _check_finite(path: str | Path, samples: np.ndarray) -> None:
    if not np.isfinite(samples).all():
        bad = np.flatnonzero(~np.isfinite(samples).all(axis=1))
        raise _not_finite(path, len(bad), int(bad[0]))


def _not_finite(path: str | Path, count: int, first: int) -> AudioError:
    return AudioError(
        f"{Path(path).name}: {count} samples are NaN or infinite, the first at sample {first}; "
        "repair or re-export the file, or remove it"
    )
