"""Write audio files: exact conversions, and the same bytes for the same samples.

blocks of any length ──► checks ──► blocks of 2¹⁶ samples ──► 16 or 24 bits, or as they are
──► libsndfile ──► what it took from the clock made constant (see constant_bytes.py)
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import numpy as np
import soundfile as sf

from audio.constant_bytes import make_constant
from audio.formats import check_output_format
from files.atomic import cannot_write
from files.errors import AudioError, ParameterError, PlanError

# handed to libsndfile at a time: given millions, Vorbis crashes; given others, it encodes others
BLOCK_SAMPLES = 1 << 16
# what libsndfile divides by when it reads; it would multiply by one less, so we convert
PCM_16_SCALE = 2.0**15
PCM_24_SCALE = 2.0**23
DITHER_SEED = 16
VORBIS_QUALITY = 0.6  # of 1; about 190 kbit/s for two channels at 44.1 kHz
RIFF_BYTES = (1 << 32) - (1 << 20)  # what 32-bit sizes can say, less some for other chunks


class AudioWriter:
    """Writes one audio file.

    A context manager: leaving it completes the file, or closes it as it is after an error.

    Parameters
    ----------
    bits : {"16", "24", "float"}, optional
        See `audio.formats`. 24 bits hold 24-bit and 16-bit samples exactly; 16 bits hold 16-bit
        samples exactly and dither others.
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
        self._n_taken = 0
        self._gathered = np.empty((BLOCK_SAMPLES, channels), np.float32)
        self._dither = np.random.default_rng(DITHER_SEED)
        container = found.container
        if container == "WAV" and n_samples * channels * self._width > RIFF_BYTES:
            container = "RF64"
        with self._writing_errors():
            self._file = self._open(container, sample_rate, channels)
            self._write_texts(title=title, comment=comment, software="Demiurge")

    @property
    def _width(self) -> int:
        """Bytes of a sample in a WAV."""
        return {"PCM_16": 2, "PCM_24": 3}.get(self._encoding, 4)

    def _open(self, container: str, sample_rate: int, channels: int) -> sf.SoundFile:
        return sf.SoundFile(
            self._path,
            "w",
            sample_rate,
            channels,
            self._encoding,
            format=container,
            compression_level=1 - VORBIS_QUALITY if container == "OGG" else None,
        )

    def _write_texts(self, **texts: str) -> None:
        for key, text in texts.items():
            if text:  # libsndfile refuses an empty one
                setattr(self._file, key, text.encode(errors="replace").decode())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, exception_type: type | None, *_: object) -> None:
        try:
            if exception_type is None:
                self._put(self._n_taken % BLOCK_SAMPLES)
        finally:
            with self._writing_errors():
                self._file.close()
        if exception_type is None:
            with self._writing_errors():
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
            filled = self._n_taken % BLOCK_SAMPLES
            part = block[: BLOCK_SAMPLES - filled]
            self._gathered[filled : filled + len(part)] = part
            self._n_taken += len(part)
            block = block[len(part) :]
            if self._n_taken % BLOCK_SAMPLES == 0:
                self._put(BLOCK_SAMPLES)

    def _put(self, n_samples: int) -> None:
        block = self._gathered[:n_samples]
        with self._writing_errors():
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
            number = self._n_taken + int(np.argmin(np.isfinite(block).all(axis=1)))
            raise PlanError(
                f"{self._name}: sample {number} would not be finite; repair the source played there"
            )
        if self._encoding != "FLOAT" and len(block) and max(block.max(), -block.min()) > 1:
            number = self._n_taken + int(np.argmax(np.abs(block).max(axis=1) > 1))
            raise AudioError(
                f"{self._name}: sample {number} is beyond full scale; lower the gain, or write"
                " float WAV"
            )

    def _check_whole(self) -> None:
        """Check that all is on the disk: libsndfile does not report errors while it closes."""
        if self._n_taken != self._n_samples:
            raise ParameterError(
                f"{self._name}: {self._n_taken} samples came of n_samples={self._n_samples}; write"
                " them all"
            )
        with sf.SoundFile(self._path) as file:
            file.seek(-1, sf.SEEK_END)
            if file.frames != self._n_samples or not len(file.read(1)):
                raise OSError

    @contextmanager
    def _writing_errors(self) -> Iterator[None]:
        try:
            yield
        except (OSError, sf.SoundFileError, AssertionError) as error:
            # soundfile asserts that all was written
            reason = _refusal(self._path)
            raise ParameterError(cannot_write(self._name, reason)) from error


def pcm_24(block: np.ndarray) -> np.ndarray:
    """float32 -> int32 whose upper 24 bits are the samples; 1 becomes the largest, 1 - 2⁻²³."""
    # exact: a power of two, and float32 has 24 bits
    steps = np.rint(block * np.float32(PCM_24_SCALE))
    return np.clip(steps, -PCM_24_SCALE, PCM_24_SCALE - 1, out=steps).astype(np.int32) << 8


def pcm_16(block: np.ndarray, dither: np.random.Generator) -> np.ndarray:
    """float32 -> int16; 1 becomes the largest, 1 - 2⁻¹⁵.

    Samples that lie between two steps are dithered: triangular noise of ±1 step.
    """
    exact = block.astype(np.float64) * PCM_16_SCALE
    noise = dither.random((*block.shape, 2)).sum(axis=-1) - 1
    steps = np.where(exact == np.rint(exact), exact, np.rint(exact + noise))
    return np.clip(steps, -PCM_16_SCALE, PCM_16_SCALE - 1).astype(np.int16)


def _refusal(path: Path) -> str:
    """Return what the system says to one more write, which libsndfile does not pass on."""
    try:
        with open(path, "ab") as file:
            file.write(bytes(1 << 20))
    except OSError as error:
        return str(error.strerror)
    return "write error"
