"""A codec without a network: windowed frames times a fixed rotation, which can be undone."""

import json
from pathlib import Path

import numpy as np
import pytest

from files.errors import CheckpointError
from synth.codec import Codec

FILE = "toy.json"


class ToyCodec(Codec):
    """Latents of frame i are a rotation of the samples from i - 1/2 to i + 3/2 hops, windowed.

    With as many latents as a window has samples, decoding gives the audio back; with fewer it
    gives something like it.
    """

    def __init__(
        self, *, sample_rate=8000, hop_length=64, n_latents=128, random_seed=0, licence="CC0-1.0"
    ):
        self.name = f"toy-{random_seed}"
        self.licence = licence
        self.hash = f"{random_seed:032x}"
        self.sample_rate = sample_rate
        self.hop_length = hop_length
        self.n_latents = n_latents
        n = 2 * hop_length
        rng = np.random.default_rng(random_seed)
        self.rotation = np.linalg.qr(rng.normal(size=(n, n)))[0][:, :n_latents].astype(np.float32)
        self.window = np.sin(np.pi * (np.arange(n) + 0.5) / n).astype(np.float32)

    def _latents(self, audio):
        hop = self.hop_length
        n_frames = self.n_frames(audio.shape[1])
        padded = np.zeros((n_frames + 1) * hop, np.float32)
        padded[hop // 2 : hop // 2 + audio.shape[1]] = audio[0]
        frames = np.lib.stride_tricks.sliding_window_view(padded, 2 * hop)[::hop][:n_frames]
        return (frames * self.window) @ self.rotation

    def _decode(self, latents, n_samples):
        hop = self.hop_length
        frames = (latents @ self.rotation.T) * self.window
        audio, weight = np.zeros((2, (len(frames) + 1) * hop), np.float32)
        for i, frame in enumerate(frames):
            audio[i * hop : (i + 2) * hop] += frame
            weight[i * hop : (i + 2) * hop] += self.window**2
        inside = slice(hop // 2, hop // 2 + n_samples)
        return (audio[inside] / weight[inside])[None]


class NaNCodec(ToyCodec):
    """Its latents are not numbers."""

    def _latents(self, audio):
        return super()._latents(audio) * np.nan


def write_toy(folder: Path, **options) -> Path:
    """Write the folder of a toy, which `open_toy` opens."""
    folder.mkdir(exist_ok=True)
    (folder / FILE).write_text(json.dumps(options))
    return folder


def open_toy(path, *, device="cpu"):
    """In place of `synth.open_codec.open_codec`."""
    if not (Path(path) / FILE).is_file():
        raise CheckpointError(f"{path}: no codec here")
    options = json.loads((Path(path) / FILE).read_text())
    kind = NaNCodec if options.pop("nan", False) else ToyCodec
    return kind(**options)


@pytest.fixture
def toys_open(monkeypatch):
    """Let folders of toys be opened as codecs."""
    monkeypatch.setattr("synth.open_codec.open_codec", open_toy)
