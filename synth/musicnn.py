"""Embeddings of music by MusiCNN, a published tagging network: what Fréchet distances between music
are taken of.

Pons and Serra, arXiv 1909.06654; the layers are those of Pons et al., arXiv 1711.02520, as trained
on MagnaTagATune. The weights are read from the package `musicnn`, which need not be importable (it
needs an old TensorFlow).
"""

import importlib.util
from itertools import count
from pathlib import Path
from typing import Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from audio.mel import mel_filterbank
from audio.resample import resample
from files.errors import AudioError, CheckpointError, ParameterError
from synth.tensor_bundle import read_tensors

SAMPLE_RATE = 16000  # Hz
N_FFT = 512
HOP_LENGTH = 256
N_MELS = 96
WINDOW_FRAMES = 187  # 3 s
WINDOW_HOP = WINDOW_FRAMES * HOP_LENGTH  # samples from one window to the next
WINDOW_SPAN = WINDOW_HOP - HOP_LENGTH + N_FFT  # samples that the frames of one window look at
BATCH_WINDOWS = 8
EPSILON = 1e-3  # TensorFlow's default for batch normalisation
MODEL = "MTT_musicnn"

# TensorFlow's names, here: our layers, the parts of a layer, the order of the axes.
KINDS = {
    nn.Conv2d: "conv2d",
    nn.Linear: "dense",
    nn.BatchNorm1d: "batch_normalization",
    nn.BatchNorm2d: "batch_normalization",
}
PARTS = {
    "conv2d": {"kernel": "weight", "bias": "bias"},
    "dense": {"kernel": "weight", "bias": "bias"},
    "batch_normalization": {
        "gamma": "weight",
        "beta": "bias",
        "moving_mean": "running_mean",
        "moving_variance": "running_var",
    },
}
AXES = {1: (0,), 2: (1, 0), 4: (2, 3, 1, 0)}


class Block(nn.Module):
    """Convolution, ReLU, batch normalisation."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: tuple[int, int]) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(in_channels, out_channels, kernel_size)
        self.norm = nn.BatchNorm2d(out_channels, eps=EPSILON)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T, bands) -> (B, out_channels, T, fewer bands): as long, and only as wide as the
        kernel fits.
        """
        left = (self.convolution.kernel_size[0] - 1) // 2
        x = F.pad(x, (0, 0, left, self.convolution.kernel_size[0] - 1 - left))
        return self.norm(self.convolution(x).relu())


class MusicnnNetwork(nn.Module):
    """The layers up to the penultimate one.

    They are registered in TensorFlow's order, by which they are numbered there.
    """

    def __init__(self) -> None:
        super().__init__()
        self.input_norm = nn.BatchNorm2d(1, eps=EPSILON)
        timbral = [Block(1, 204, (7, int(share * N_MELS))) for share in (0.4, 0.7)]
        temporal = [Block(1, 51, (length, 1)) for length in (128, 64, 32)]
        self.front = nn.ModuleList(timbral + temporal)
        self.middle = nn.ModuleList(Block(channels, 64, (7, 1)) for channels in (561, 64, 64))
        self.pool_norm = nn.BatchNorm1d(2 * (561 + 3 * 64), eps=EPSILON)
        self.dense = nn.Linear(2 * (561 + 3 * 64), 200)
        self.dense_norm = nn.BatchNorm1d(200, eps=EPSILON)

    def forward(self, log_mel: Tensor) -> Tensor:
        """(B, WINDOW_FRAMES, N_MELS) -> (B, 200)."""
        x = self.input_norm(log_mel[:, None])
        features = [torch.cat([block(x).amax(dim=-1, keepdim=True) for block in self.front], dim=1)]
        for number, block in enumerate(self.middle):
            y = block(features[-1])
            features.append(y + features[-1] if number else y)
        x = torch.cat(features, dim=1)[..., 0]  # (B, 753, T)
        pooled = torch.stack([x.amax(dim=-1), x.mean(dim=-1)], dim=-1).flatten(
            1
        )  # maximum and mean alternate
        return self.dense_norm(self.dense(self.pool_norm(pooled)).relu())


class Musicnn:
    """The network with its weights."""

    def __init__(self, folder: str | Path) -> None:
        """Read the weights from a folder that holds `.index` and `.data-00000-of-00001`.

        Raises
        ------
        CheckpointError
            If they are damaged or not those of MusiCNN.
        """
        self.network = MusicnnNetwork().eval().requires_grad_(False)
        _load(self.network, str(folder))
        self.filters = torch.tensor(mel_filterbank(SAMPLE_RATE, N_FFT, N_MELS))

    @classmethod
    def find(cls, package: str | Path | None = None) -> Self:
        """The weights in the folder of the package `musicnn`; by default wherever it is installed.

        It is not imported.

        Raises
        ------
        CheckpointError
            If it is not there.
        """
        if (
            package is None
            and (spec := importlib.util.find_spec("musicnn"))
            and spec.submodule_search_locations
        ):
            package = spec.submodule_search_locations[0]
        if package is None or not (Path(package) / MODEL).is_dir():
            place = "is not installed" if package is None else f"is not in {package} (no {MODEL})"
            raise CheckpointError(
                f"musicnn, which measures likeness of music, {place}: pip install --no-deps"
                " musicnn==0.1.0"
            )
        return cls(Path(package) / MODEL)

    def embed(self, audio: np.ndarray, sample_rate: int) -> np.ndarray:
        """One embedding per 3 s (2.992 s, 187 frames), without overlap.

        A remainder is dropped; a recording shorter than one window is repeated until it fills one.

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
        return torch.cat(
            [self.network(self.log_mel(batch)) for batch in windows.split(BATCH_WINDOWS)]
        ).numpy()

    def log_mel(self, audio: Tensor) -> Tensor:
        """(B, WINDOW_SPAN) -> log10(10000 power + 1) in mel bands, (B, WINDOW_FRAMES, N_MELS),
        unpadded.
        """
        window = torch.hann_window(N_FFT)
        spectrum = torch.stft(
            audio, N_FFT, HOP_LENGTH, window=window, center=False, return_complex=True
        )
        return (1e4 * (self.filters @ spectrum.abs().square()) + 1).log10().transpose(1, 2)


def _load(network: nn.Module, folder: str) -> None:
    targets = _targets(network)
    for name, values in read_tensors(f"{folder}/", targets).items():
        if [n for n in values.shape if n > 1] != [n for n in targets[name].shape if n > 1]:
            expected = tuple(targets[name].shape)
            raise CheckpointError(
                f"{folder}: {name} has shape {values.shape}, not {expected}; it is another network"
            )
        targets[name].copy_(torch.from_numpy(values).reshape(targets[name].shape))


def _targets(network: nn.Module) -> dict[str, Tensor]:
    """TensorFlow's names of the weights, and views of where they go: the layers of a kind are
    numbered in their order.
    """
    numbers = {kind: count() for kind in PARTS}
    targets = {}
    for layer in network.modules():
        if (kind := KINDS.get(type(layer))) is None:
            continue
        scope = f"{kind}_{number}" if (number := next(numbers[kind])) else kind
        state = layer.state_dict()
        for there, here in PARTS[kind].items():
            targets[f"{scope}/{there}"] = state[here].permute(AXES[state[here].ndim])
    return targets
