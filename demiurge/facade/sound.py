"""Sound in memory."""

import base64
import io
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import soundfile as sf

from audio.channels import fit_channels
from audio.read import read_audio
from audio.resample import resample
from audio.write import AudioWriter
from files.errors import AudioError

PLAYED_RATE = 44100  # Hz at most, of the players in notebooks


@dataclass(frozen=True)
class Sound:
    """Sound in memory; in a notebook it is shown as a player.

    Attributes
    ----------
    samples : ndarray, float32, shape (length, channels)
        Made from what is given; mono may be (length,). Full scale is 1.
    sample_rate : int
        Hz.
    """

    samples: np.ndarray
    sample_rate: int

    def __post_init__(self) -> None:
        samples = np.asarray(self.samples, np.float32)
        samples = samples[:, None] if samples.ndim == 1 else samples
        if samples.ndim != 2 or not samples.size:
            raise AudioError(
                f"samples of shape {np.shape(self.samples)}: give (n_samples,) or"
                " (n_samples, channels), at least one sample"
            )
        if samples.shape[1] > len(samples):
            raise AudioError(
                f"samples of shape {samples.shape} have more channels than samples; give"
                " (n_samples, channels), for example samples.T"
            )
        if not np.isfinite(samples).all():
            raise AudioError("samples hold NaN or infinity; repair them")
        object.__setattr__(self, "samples", samples)

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """Read a file: WAV, FLAC, OGG, MP3, AIFF, …; raises `demiurge.Error` if that fails."""
        audio = read_audio(path)
        return cls(audio.samples, audio.sample_rate)

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return len(self.samples) / self.sample_rate

    def resampled(self, sample_rate: int, channels: int | None = None) -> "Sound":
        """Return the sound at another rate, and with other channels (1 is their mean)."""
        samples = self.samples
        if channels is not None:
            samples = fit_channels(samples, channels)
        return Sound(resample(samples, self.sample_rate, sample_rate), sample_rate)

    def save(self, path: str | Path, *, bits: str | None = None) -> Path:
        """Write WAV, FLAC or OGG, as the suffix says, and return the path.

        Parameters
        ----------
        bits : {"16", "24", "float"}, optional
            24 by default, and of OGG none.

        Raises
        ------
        Error
            If there is such a file already, or it cannot be written.
        """
        path = Path(path)
        refuse_existing(path)
        n_samples, channels = self.samples.shape
        with AudioWriter(
            path, self.sample_rate, channels, bits=bits, n_samples=n_samples, is_render=False
        ) as file:
            file.write(self.samples)
        return path

    def _repr_html_(self) -> str:
        rate = min(self.sample_rate, PLAYED_RATE)
        played = self if rate == self.sample_rate else self.resampled(rate)
        file = io.BytesIO()
        sf.write(file, np.clip(played.samples, -1, 1), rate, format="OGG", subtype="VORBIS")
        data = base64.b64encode(file.getvalue()).decode()
        return f'<audio controls src="data:audio/ogg;base64,{data}"></audio>'


def refuse_existing(path: Path) -> None:
    """Raise an error if there is something at a path, which is not overwritten."""
    if path.exists():
        raise AudioError(f"{path} exists; choose another name, or delete it")


@contextmanager
def as_file(sound: str | Path | Sound) -> Iterator[Path]:
    """Yield the path of a file, or that of a temporary one with a sound."""
    if not isinstance(sound, Sound):
        yield Path(sound)
        return
    with tempfile.TemporaryDirectory() as folder:
        yield sound.save(Path(folder) / "sound.wav", bits="float")
