"""Write audio files: exact conversions, and the same bytes for the same samples.

blocks of any length ──► checks ──► blocks of 2¹⁶ samples ──► 16 or 24 bits, or as they are ──►
libsndfile ──► bytes that libsndfile took from the clock become constants
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import numpy as np
import soundfile as sf

from audio.formats import check_output_format
from audio.pcm import pcm_16, pcm_24
from audio.renders import SOFTWARE
from audio.reproducible_bytes import make_constant
from files.atomic import cannot_write
from files.errors import AudioError, ParameterError, PlanError

# samples per write: Vorbis crashes on millions, and its output depends on the block size
BLOCK_SAMPLES = 1 << 16
DITHER_SEED = 16
VORBIS_QUALITY = 0.6  # of 1; about 190 kbit/s for two channels at 44.1 kHz
# the most that 32-bit sizes can state, less some space for the other chunks
RIFF_BYTES = (1 << 32) - (1 << 20)


class AudioWriter:
    """Writes one audio file.

    Use it as a context manager: leaving it completes the file, or just closes it after an error.

    Parameters
    ----------
    bits : {"16", "24", "float"}, optional
        See `audio.formats`. 24 bits hold 24-bit and 16-bit samples exactly; 16 bits hold 16-bit
        samples exactly and dither others.
    n_samples : int > 0
        Total number that will be written; a WAV over 4 GiB becomes RF64.
    comment, title : str
        Stored in the file, beside the tag of `audio.renders`; left out if empty.
    is_render : bool
        Whether to tag it as made of a plan, so that it is left out of databases.
    shown : path, optional
        Used for messages and for the suffix in place of `path`, if that is only temporary.

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
        is_render: bool = True,
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
        with self._writing_errors():
            self._file = self._open(found.container, sample_rate, channels)
            software = SOFTWARE if is_render else ""
            self._write_texts(title=title, comment=comment, software=software)

    def _open(self, container: str, sample_rate: int, channels: int) -> sf.SoundFile:
        sample_bytes = {"PCM_16": 2, "PCM_24": 3}.get(self._encoding, 4)
        if container == "WAV" and self._n_samples * channels * sample_bytes > RIFF_BYTES:
            container = "RF64"
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
                self._write_gathered(self._n_taken % BLOCK_SAMPLES)
        finally:
            with self._writing_errors():
                self._file.close()
        if exception_type is None:
            with self._writing_errors():
                self._check_complete()
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
            If the block has another shape, or the file cannot be written.
        """
        self._check(block)
        while len(block):
            filled = self._n_taken % BLOCK_SAMPLES
            part = block[: BLOCK_SAMPLES - filled]
            self._gathered[filled : filled + len(part)] = part
            self._n_taken += len(part)
            block = block[len(part) :]
            if self._n_taken % BLOCK_SAMPLES == 0:
                self._write_gathered(BLOCK_SAMPLES)

    def end_here(self) -> None:
        """Let what was written so far, at least one sample, be all there is."""
        self._n_samples = max(self._n_taken, 1)

    def _write_gathered(self, n_samples: int) -> None:
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
        is_finite = np.isfinite(block)
        if not is_finite.all():
            number = self._n_taken + int(np.argmin(is_finite.all(axis=1)))
            raise PlanError(
                f"{self._name}: sample {number} would not be finite; repair the source played there"
            )
        if self._encoding != "FLOAT" and len(block) and max(block.max(), -block.min()) > 1:
            number = self._n_taken + int(np.argmax(np.abs(block).max(axis=1) > 1))
            raise AudioError(
                f"{self._name}: sample {number} is beyond full scale; lower the gain, or write"
                " float WAV"
            )

    def _check_complete(self) -> None:
        """Read the end of the file: libsndfile reports no errors while it closes."""
        if self._n_taken != self._n_samples:
            raise ParameterError(
                f"{self._name}: {self._n_taken} samples were written of n_samples="
                f"{self._n_samples}; write them all"
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
            # soundfile raises AssertionError if not all was written
            raise ParameterError(cannot_write(self._name, _reason(self._path))) from error


def _reason(path: Path) -> Exception:
    """Find out why a file cannot be written, by writing to it: libsndfile does not say."""
    try:
        with open(path, "ab") as file:
            file.write(bytes(1 << 20))
    except OSError as error:
        return error
    return OSError("write error")
