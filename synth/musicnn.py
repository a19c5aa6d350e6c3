"""Embeddings and tags of music by MusiCNN, a published network, for distances of sets of audio.

Pons and Serra, arXiv 1909.06654; the layers are those of Pons et al., arXiv 1711.02520, as trained
on MagnaTagATune. The weights are read from the package `musicnn`, which need not be importable (it
needs an old TensorFlow).
"""

import importlib.util
from pathlib import Path
from typing import Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from audio.mel import mel_filterbank
from audio.resample import resample
from files.errors import AudioError, CheckpointError, ParameterError
from synth.musicnn_weights import SHA256, load_weights

SAMPLE_RATE = 16000  # Hz
N_FFT = 512
HOP_LENGTH = 256
N_MELS = 96
WINDOW_FRAMES = 187  # 3 s
WINDOW_HOP = WINDOW_FRAMES * HOP_LENGTH  # samples from one window to the next
WINDOW_SPAN = WINDOW_HOP - HOP_LENGTH + N_FFT  # samples covered by the frames of one window
BATCH_WINDOWS = 8
N_TAGS = 50  # of MagnaTagATune: instruments, styles, moods
EPSILON = 1e-3  # TensorFlow's default for batch normalisation
MODEL = "MTT_musicnn"


class ConvBlock(nn.Module):
    """Convolution, ReLU, batch normalisation."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: tuple[int, int]) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(in_channels, out_channels, kernel_size)
        self.norm = nn.BatchNorm2d(out_channels, eps=EPSILON)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T, bands) -> (B, out_channels, T, fewer bands), padded along time only."""
        length = self.convolution.kernel_size[0]
        left = (length - 1) // 2
        x = F.pad(x, (0, 0, left, length - 1 - left))
        return self.norm(self.convolution(x).relu())


class MusicnnNetwork(nn.Module):
    """All layers, in the order in which TensorFlow numbers them."""

    def __init__(self) -> None:
        super().__init__()
        self.input_norm = nn.BatchNorm2d(1, eps=EPSILON)
        heights = [int(share * N_MELS) for share in (0.4, 0.7)]
        timbral = [ConvBlock(1, 204, (7, height)) for height in heights]
        temporal = [ConvBlock(1, 51, (length, 1)) for length in (128, 64, 32)]
        self.front = nn.ModuleList(timbral + temporal)
        middle = [ConvBlock(channels, 64, (7, 1)) for channels in (561, 64, 64)]
        self.middle = nn.ModuleList(middle)
        self.pool_norm = nn.BatchNorm1d(2 * (561 + 3 * 64), eps=EPSILON)
        self.dense = nn.Linear(2 * (561 + 3 * 64), 200)
        self.dense_norm = nn.BatchNorm1d(200, eps=EPSILON)
        self.tags = nn.Linear(200, N_TAGS)

    def forward(self, log_mel: Tensor) -> Tensor:
        """(B, WINDOW_FRAMES, N_MELS) -> (B, 200), the input of the last layer, `tags`."""
        x = self.input_norm(log_mel[:, None])
        front = [block(x).amax(dim=-1, keepdim=True) for block in self.front]
        features = [torch.cat(front, dim=1)]
        for number, block in enumerate(self.middle):
            y = block(features[-1])
            features.append(y + features[-1] if number else y)
        x = torch.cat(features, dim=1)[..., 0]  # (B, 753, T)
        # (B, 1506), maximum and mean alternate
        maximum = x.amax(dim=-1)
        mean = x.mean(dim=-1)
        pooled = torch.stack([maximum, mean], dim=-1).flatten(1)
        return self.dense_norm(self.dense(self.pool_norm(pooled)).relu())


class Musicnn:
    """The network with its weights."""

    def __init__(self, folder: str | Path, *, sha256: str = SHA256) -> None:
        """Read the weights from a folder of the package.

        Raises
        ------
        CheckpointError
            If they are missing, damaged or not those of MusiCNN.
        """
        self.network = MusicnnNetwork().eval().requires_grad_(False)
        load_weights(self.network, folder, sha256=sha256)
        self.filters = torch.tensor(mel_filterbank(SAMPLE_RATE, N_FFT, N_MELS))

    @classmethod
    def find(cls, package: str | Path | None = None, *, sha256: str = SHA256) -> Self:
        """Read the weights from the folder of the package, by default where it is installed.

        Raises
        ------
        CheckpointError
            If it is not there.
        """
        package = package or _installed_package()
        if package is None or not (Path(package) / MODEL).is_dir():
            place = "is not installed" if package is None else f"is not in {package} (no {MODEL})"
            raise CheckpointError(
                f"musicnn, which computes embeddings of music, {place}: pip install --no-deps"
                " musicnn==0.1.0"
            )
        return cls(Path(package) / MODEL, sha256=sha256)

    def embed(self, audio: np.ndarray, sample_rate: int) -> np.ndarray:
        """Return one embedding per 3 s (2.992 s, 187 frames), without overlap.

        A remainder is dropped; audio shorter than one window is repeated until it fills one.

        Parameters
        ----------
        audio : ndarray, shape (n_samples,)
        sample_rate : int > 0
            Hz.

        Returns
        -------
        ndarray, float32, shape (n_windows, 200)

        Raises
        ------
        ParameterError
            If the audio is not mono.
        AudioError
            If there are no samples, or NaN or infinite ones.
        """
        if audio.ndim != 1 or sample_rate < 1:
            raise ParameterError(
                f"audio of shape {audio.shape} at {sample_rate} Hz must be mono at a positive rate;"
                " mix it down"
            )
        if not len(audio) or not np.isfinite(audio).all():
            raise AudioError(
                f"audio of {len(audio)} samples to embed is empty or holds NaN or infinite samples;"
                " repair it"
            )
        audio = resample(audio.astype(np.float32, copy=False), sample_rate, SAMPLE_RATE)
        if len(audio) < WINDOW_HOP - HOP_LENGTH:
            audio = np.resize(audio, WINDOW_HOP)
        padded = F.pad(torch.from_numpy(audio), (N_FFT // 2, N_FFT // 2))
        windows = padded.unfold(0, WINDOW_SPAN, WINDOW_HOP)
        batches = windows.split(BATCH_WINDOWS)
        return torch.cat([self.network(self.log_mel(batch)) for batch in batches]).numpy()

    def tags(self, embeddings: np.ndarray) -> np.ndarray:
        """Return the probability of each tag, from embeddings (..., 200): float32, (..., 50)."""
        return self.network.tags(torch.from_numpy(embeddings)).sigmoid().numpy()

    def log_mel(self, audio: Tensor) -> Tensor:
        """(B, WINDOW_SPAN) -> log10(10000 power + 1) in mel bands, (B, WINDOW_FRAMES, N_MELS)."""
        window = torch.hann_window(N_FFT)
        spectrum = torch.stft(
            audio, N_FFT, HOP_LENGTH, window=window, center=False, return_complex=True
        )
        bands = self.filters @ spectrum.abs().square()
        return (1e4 * bands + 1).log10().transpose(1, 2)


def _installed_package() -> str | None:
    """Return the folder of the package, which is not imported."""
    spec = importlib.util.find_spec("musicnn")
    if spec is None or not spec.submodule_search_locations:
        return None
    return spec.submodule_search_locations[0]
