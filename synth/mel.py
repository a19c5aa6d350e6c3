"""The mel front end: waveform to log-mel spectrogram, as the published vocoders compute it.

Both publications reflect (n_fft - hop_length) / 2 samples at each end, so that n samples give
exactly n / hop_length frames, take STFT magnitudes, sum them in slaney mel bands, and clamp the
logarithm. They differ in the upper band edge, the base of the logarithm and a guard under the
square root (HiFi-GAN, arXiv 2010.05646; MelGAN, arXiv 1910.06711).
"""

import math
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from audio.mel import mel_filterbank
from audio.read import MAX_RATE
from files.errors import ParameterError
from files.ranges import check_integer, check_number, shown

LOGS = ("ln", "log10")
TINY_POWER = 1e-20  # added, since the gradient of a square root at 0 is infinite
MOST_N_FFT = 1 << 14  # samples
MOST_N_MELS = 512
MOST_OVERLAP = 64  # windows that overlap at a sample
BLOCK_FRAMES = 4096  # 9 MB of spectrum


@dataclass(frozen=True)
class MelSettings:
    """Settings of log-mel spectrograms. Saved with every model; a mismatch is an error."""

    sample_rate: int = 22050  # Hz
    n_fft: int = 1024
    hop_length: int = 256  # samples
    n_mels: int = 80
    f_min: float = 0.0  # Hz
    f_max: float = 11025.0  # Hz
    log: str = "ln"
    power_floor: float = 0.0  # added to the power before its square root
    floor: float = 1e-5  # magnitudes are at least this

    def __post_init__(self) -> None:
        check_integer("sample_rate", self.sample_rate, 1, MAX_RATE)
        check_integer("n_fft", self.n_fft, 1, MOST_N_FFT)
        check_integer("hop_length", self.hop_length, 1, MOST_N_FFT)
        check_integer("n_mels", self.n_mels, 1, MOST_N_MELS)
        for name in ("f_min", "f_max"):
            check_number(name, getattr(self, name), 0, MAX_RATE / 2)
        for name in ("power_floor", "floor"):
            check_number(name, getattr(self, name), 0, 1)
        self._check_together()

    def _check_together(self) -> None:
        if self.hop_length > self.n_fft or (self.n_fft - self.hop_length) % 2:
            raise ParameterError(
                f"hop_length={self.hop_length} must be at most n_fft={self.n_fft}, and an even"
                " number less"
            )
        if self.n_fft > MOST_OVERLAP * self.hop_length:
            raise ParameterError(
                f"hop_length={self.hop_length} must be at least n_fft={self.n_fft} / {MOST_OVERLAP}"
            )
        if not 0 <= self.f_min < self.f_max <= self.sample_rate / 2:
            raise ParameterError(
                f"bands of {self.f_min} to {self.f_max} Hz must rise and end at"
                f" {self.sample_rate / 2} Hz, half the sample rate"
            )
        if self.log not in LOGS:
            raise ParameterError(f"log={shown(self.log)} must be {' or '.join(LOGS)}")
        if not self.floor > 0:
            raise ParameterError(f"floor={self.floor} must be positive")

    @property
    def frame_rate(self) -> float:
        """Frames per second."""
        return self.sample_rate / self.hop_length

    @property
    def silence(self) -> float:
        """The log-mel value of silence, the lowest possible."""
        return math.log(self.floor) if self.log == "ln" else math.log10(self.floor)

    @property
    def nepers(self) -> float:
        """Nepers in a unit of log-mel."""
        return 1.0 if self.log == "ln" else math.log(10)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Make settings from a dict; raise ParameterError if some are unknown or missing."""
        names = {f.name for f in fields(cls)}
        if set(values) != names:
            raise ParameterError(
                f"mel settings {', '.join(sorted(set(values) ^ names))} are unknown or missing"
            )
        return cls(**values)

    def check_matches(self, other: "MelSettings", *, mine: str, theirs: str) -> None:
        """Raise ParameterError, which names both values, if two models have different mels."""
        for name, value in asdict(self).items():
            their = getattr(other, name)
            if value != their:
                raise ParameterError(
                    f"mel {name} is {value} in {mine} and {their} in {theirs}; use two of the same"
                    " mel settings"
                )


PRESETS = {
    "22k": MelSettings(),
    "44k": MelSettings(sample_rate=44100, n_fft=2048, hop_length=512, n_mels=128, f_max=22050.0),
    "hifigan": MelSettings(f_max=8000.0, power_floor=1e-9),
    "melgan": MelSettings(log="log10"),
}


class LogMel(nn.Module):
    """Waveform to log-mel spectrogram."""

    window: Tensor
    filters: Tensor

    def __init__(self, settings: MelSettings) -> None:
        super().__init__()
        self.settings = settings
        filters = mel_filterbank(
            settings.sample_rate,
            settings.n_fft,
            settings.n_mels,
            f_min=settings.f_min,
            f_max=settings.f_max,
        )
        self.register_buffer("window", torch.hann_window(settings.n_fft), persistent=False)
        # A copy, since torch aligns its memory and NumPy may not.
        self.register_buffer("filters", torch.tensor(filters), persistent=False)

    @property
    def padding(self) -> int:
        """Samples reflected at each end."""
        return (self.settings.n_fft - self.settings.hop_length) // 2

    def spectrum(self, padded: Tensor) -> Tensor:
        """(batch, n_samples + 2 * padding) -> complex STFT (batch, n_bins, frames)."""
        s = self.settings
        return torch.stft(
            padded, s.n_fft, s.hop_length, window=self.window, center=False, return_complex=True
        )

    def magnitudes(self, spectrum: Tensor) -> Tensor:
        """Complex STFT -> magnitudes with a finite gradient, also at 0."""
        power = spectrum.real.square() + spectrum.imag.square() + self.settings.power_floor
        return power.clamp_min(TINY_POWER).sqrt()

    def log_mel(self, padded: Tensor) -> Tensor:
        """(batch, n_samples + 2 * padding) -> log-mel (batch, n_mels, n_samples // hop_length)."""
        return self.compress(self.filters @ self.magnitudes(self.spectrum(padded)))

    def pad(self, audio: Tensor) -> Tensor:
        """(batch, n_samples) -> (batch, n_samples + 2 * padding), reflected.

        Raises
        ------
        ParameterError
            If the audio is too short to be reflected.
        """
        if audio.shape[-1] <= self.padding:
            raise ParameterError(
                f"{audio.shape[-1]} samples are too few for a mel spectrogram; at least"
                f" {self.padding + 1} are needed"
            )
        ends = (self.padding, self.padding)
        return F.pad(audio[:, None], ends, mode="reflect")[:, 0]

    def forward(self, audio: Tensor) -> Tensor:
        """Audio (batch, n_samples), within ±1 -> log-mel (batch, n_mels, frames)."""
        return self.log_mel(self.pad(audio))

    def compress(self, mel: Tensor) -> Tensor:
        """Mel magnitudes -> their clamped logarithm."""
        mel = mel.clamp_min(self.settings.floor)
        return mel.log() if self.settings.log == "ln" else mel.log10()

    def expand(self, log_mel: Tensor) -> Tensor:
        """The inverse of `compress`."""
        return log_mel.exp() if self.settings.log == "ln" else 10**log_mel


@torch.no_grad()
def log_mel(audio: np.ndarray, settings: MelSettings) -> np.ndarray:
    """Compute the log-mel spectrogram of a signal of any length, block by block.

    Parameters
    ----------
    audio : ndarray, float32, shape (n_samples,)
        At `settings.sample_rate`. The last hop is filled up with silence.

    Returns
    -------
    ndarray, float32, shape (n_mels, ceil(n_samples / hop_length))
    """
    front_end = LogMel(settings)
    hop = settings.hop_length
    n_frames = max(-(-len(audio) // hop), 1)
    n_samples = max(n_frames * hop, front_end.padding + 1)
    whole_hops = np.pad(audio, (0, n_samples - len(audio)))
    padded = front_end.pad(torch.from_numpy(whole_hops)[None])
    out = np.empty((settings.n_mels, n_frames), np.float32)
    for start in range(0, n_frames, BLOCK_FRAMES):
        stop = min(start + BLOCK_FRAMES, n_frames)
        part = padded[:, start * hop : (stop - 1) * hop + settings.n_fft]
        out[:, start:stop] = front_end.log_mel(part)[0]
    return out
