"""Audio files in three formats: what each can hold, exact conversions, and the same bytes for the
same samples.

blocks of any length ──► checks ──► blocks of 2¹⁶ samples ──► 16 or 24 bits, or as they are ──► libsndfile ──► what it drew
from the clock (the time in a float WAV's PEAK chunk, the serial number of an Ogg stream) made
constant.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import soundfile as sf

from audio.constant_bytes import make_constant
from files.errors import AudioError, ParameterError, PlanError

BLOCK_SAMPLES = (
    1 << 16
)  # handed to libsndfile at a time: Vorbis crashes on millions, and encodes other blocks otherwise
# what libsndfile divides by; it would multiply by one less, so we do it here
PCM_16_SCALE = 2.0**15
PCM_24_SCALE = 2.0**23
DITHER_SEED = 16
VORBIS_QUALITY = 0.6  # of 1; about 190 kbit/s for two channels at 44.1 kHz
FLAC_COARSE_RATE = 65535  # Hz; beyond it a FLAC stream counts in tens of Hz
RIFF_BYTES = (1 << 32) - (
    1 << 20
)  # what 32-bit sizes can say, less room for the chunks beside the samples


@dataclass(frozen=True)
class OutputFormat:
    """A container, libsndfile's name of the encoding for each `bits` (None: the default), and its
    limits.
    """

    container: str
    encodings: dict[str | None, str]
    max_channels: int
    max_sample_rate: int  # Hz


FORMATS = {
    ".wav": OutputFormat(
        "WAV", {None: "PCM_24", "16": "PCM_16", "24": "PCM_24", "float": "FLOAT"}, 1024, 2**31 - 1
    ),
    ".flac": OutputFormat("FLAC", {None: "PCM_24", "16": "PCM_16", "24": "PCM_24"}, 8, 655350),
    ".ogg": OutputFormat("OGG", {None: "VORBIS"}, 255, 200000),
}


def check_output_format(
    path: str | Path,
    bits: str | None = None,
    *,
    sample_rate: int | None = None,
    channels: int | None = None,
) -> OutputFormat:
    """The format that a path's suffix asks for.

    Parameters
    ----------
    bits : {"16", "24", "float"}, optional
        The format's own default otherwise.
    sample_rate, channels : int, optional
        Checked where given.

    Raises
    ------
    ParameterError
        If the suffix is unknown or the format cannot hold the rest.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in FORMATS:
        raise ParameterError(f"{path}: the suffix {suffix!r} must be one of {', '.join(FORMATS)}")
    found = FORMATS[suffix]
    if bits not in found.encodings:
        raise ParameterError(f"{path}: bits={bits!r} {_bits_rule(found)}")
    if channels is not None and not 1 <= channels <= found.max_channels:
        raise ParameterError(
            f"{path}: channels={channels} must be 1 to {found.max_channels} in {found.container};"
            " write .wav, or fewer"
        )
    if sample_rate is not None:
        _check_sample_rate(path, found, sample_rate)
    return found


def _bits_rule(found: OutputFormat) -> str:
    known = ", ".join(bits for bits in found.encodings if bits)
    if not known:
        return (
            "cannot be had in OGG, whose Vorbis has no bits to choose; leave it out, or write .wav"
            " or .flac"
        )
    return (
        f"must be one of {known} in"
        f" {found.container}{'' if 'float' in known else '; float samples need .wav'}"
    )


def _check_sample_rate(path: str | Path, found: OutputFormat, sample_rate: int) -> None:
    rule = ""
    if not 1 <= sample_rate <= found.max_sample_rate:
        rule = f"1 to {found.max_sample_rate}"
    elif found.container == "FLAC" and sample_rate > FLAC_COARSE_RATE and sample_rate % 10:
        rule = f"a multiple of 10 above {FLAC_COARSE_RATE}"
    if rule:
        raise ParameterError(
            f"{path}: sample_rate={sample_rate} Hz must be {rule} in {found.container}; write .wav"
        )


class AudioWriter:
    """Writes one audio file.

    A context manager: leaving it completes the file, or closes it as it is after an error.

    Parameters
    ----------
    bits : {"16", "24", "float"}, optional
        See `FORMATS`. 24 bits hold 24-bit and 16-bit samples exactly; 16 bits hold 16-bit samples
        exactly and dither others.
    n_samples : int > 0
        How many will be written; a WAV too long for 4 GiB becomes RF64.
    comment, title : str
        Kept in the file, beside "Demiurge"; left out where empty.
    shown : path, optional
        What is named in messages, and whose suffix counts, if `path` is only temporary.

    Raises
    ------
    ParameterError
        If the format cannot hold this, or the file cannot be written; also while writing and on
        leaving.
    """

    def __init__(
        self,
        path: str | Path,
        sample_rate: int,
        channels: int,
        *,
        bits: str | None = None,
        n_samples: int,
        comment: str = "",
        title: str = "",
        shown: str | Path | None = None,
    ) -> None:
        self._path = Path(path)
        self._name = str(shown or path)
        found = check_output_format(self._name, bits, sample_rate=sample_rate, channels=channels)
        if n_samples < 1:
            raise ParameterError(
                f"{self._name}: n_samples={n_samples} must be at least 1; there is nothing to write"
            )
        self._encoding = found.encodings[bits]
        self._n_samples = n_samples
        self._taken = 0
        self._gathered = np.empty((BLOCK_SAMPLES, channels), np.float32)
        self._dither = np.random.default_rng(DITHER_SEED)
        with self._explained():
            self._file = self._open(found.container, sample_rate, channels)
            for key, text in {"title": title, "comment": comment, "software": "Demiurge"}.items():
                if text:  # libsndfile refuses an empty one
                    setattr(self._file, key, text.encode(errors="replace").decode())

    def _open(self, container: str, sample_rate: int, channels: int) -> sf.SoundFile:
        width = {"PCM_16": 2, "PCM_24": 3}.get(self._encoding, 4)  # bytes
        if container == "WAV" and self._n_samples * channels * width > RIFF_BYTES:
            container = "RF64"
        compression = 1 - VORBIS_QUALITY if container == "OGG" else None
        return sf.SoundFile(
            self._path,
            "w",
            sample_rate,
            channels,
            self._encoding,
            format=container,
            compression_level=compression,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, exception_type: type | None, *_: object) -> None:
        try:
            if exception_type is None:
                self._put(self._taken % BLOCK_SAMPLES)
        finally:
            with self._explained():
                self._file.close()
        if exception_type is None:
            with self._explained():
                self._check_whole()
                make_constant(self._path)

    def write(self, block: np.ndarray) -> None:
        """Take the next samples, float32, shape (n_samples, channels).

        Raises
        ------
        PlanError
            If one is not finite.
        AudioError
            If one is beyond full scale, except in float WAV.
        ParameterError
            If the block has another shape or the disk refuses it.
        """
        self._check(block)
        while len(block):
            filled = self._taken % BLOCK_SAMPLES
            part = block[: BLOCK_SAMPLES - filled]
            self._gathered[filled : filled + len(part)] = part
            self._taken += len(part)
            block = block[len(part) :]
            if self._taken % BLOCK_SAMPLES == 0:
                self._put(BLOCK_SAMPLES)

    def _put(self, n_samples: int) -> None:
        block = self._gathered[:n_samples]
        with self._explained():
            if self._encoding == "PCM_16":
                self._file.write(pcm_16(block, self._dither))
            elif self._encoding == "PCM_24":
                self._file.write(pcm_24(block))
            else:
                self._file.write(block)

    def _check(self, block: np.ndarray) -> None:
        channels = self._gathered.shape[1]
        if block.ndim != 2 or block.shape[1] != channels:
            raise ParameterError(
                f"{self._name}: a block of shape {block.shape} must have shape (n_samples,"
                f" {channels})"
            )
        if not np.isfinite(block).all():
            number = self._taken + int(np.argmin(np.isfinite(block).all(axis=1)))
            raise PlanError(
                f"{self._name}: sample {number} would not be finite; repair the source played there"
            )
        if self._encoding != "FLOAT" and len(block) and max(block.max(), -block.min()) > 1:
            number = self._taken + int(np.argmax(np.abs(block).max(axis=1) > 1))
            raise AudioError(
                f"{self._name}: sample {number} is beyond full scale; lower the gain, or write"
                " float WAV"
            )

    def _check_whole(self) -> None:
        """Whether all is on the disk: libsndfile does not tell of errors while it closes."""
        if self._taken != self._n_samples:
            raise ParameterError(
                f"{self._name}: {self._taken} samples came of n_samples={self._n_samples}; write"
                " them all"
            )
        with sf.SoundFile(self._path) as file:
            file.seek(-1, sf.SEEK_END)
            if file.frames != self._n_samples or not len(file.read(1)):
                raise OSError

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (
            OSError,
            sf.SoundFileError,
            AssertionError,
        ) as error:  # soundfile asserts that all was written
            refused = f"{self._name}: cannot be written ({_refusal(self._path)})"
            raise ParameterError(f"{refused}; free some space or choose another place") from error


def pcm_24(block: np.ndarray) -> np.ndarray:
    """float32 -> int32 whose upper 24 bits are the samples; 1 becomes the largest, 1 - 2⁻²³."""
    steps = np.rint(
        block * np.float32(PCM_24_SCALE)
    )  # exact: a power of two, and float32 has 24 bits
    return np.clip(steps, -PCM_24_SCALE, PCM_24_SCALE - 1, out=steps).astype(np.int32) << 8


def pcm_16(block: np.ndarray, dither: np.random.Generator) -> np.ndarray:
    """float32 -> int16, with triangular dither of ±1 step where a sample lies between two steps; 1
    becomes 1 - 2⁻¹⁵.
    """
    exact = block.astype(np.float64) * PCM_16_SCALE
    noise = dither.random((*block.shape, 2)).sum(axis=-1) - 1
    steps = np.where(exact == np.rint(exact), exact, np.rint(exact + noise))
    return np.clip(steps, -PCM_16_SCALE, PCM_16_SCALE - 1).astype(np.int16)


def _refusal(path: Path) -> str:
    """What the system says to one more write: libsndfile keeps it to itself."""
    try:
        with open(path, "ab") as file:
            file.write(bytes(1 << 20))
    except OSError as error:
        return str(error.strerror)
    return "write error"
