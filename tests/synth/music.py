"""Music made of the bundled loops, and an embedding that takes no time."""

from dataclasses import replace

import numpy as np
import soundfile as sf

from audio.read import read_mono
from demiurge.bundled import CORPUS_DIR
from synth.mel import PRESETS, log_mel

MEL = PRESETS["22k"]
RATE = 22050


class Bands:
    """Mean and spread of ten mel bands in each window of 2 s: an embedding that takes no time."""

    def embed(self, audio: np.ndarray, sample_rate: int) -> np.ndarray:
        assert sample_rate == RATE
        bands = log_mel(audio, replace(MEL, n_mels=10))[:, : len(audio) // (2 * RATE) * 172]
        windows = bands.reshape(10, -1, 172).transpose(1, 0, 2)
        return np.concatenate([windows.mean(axis=2), windows.std(axis=2)], axis=1)

    def tags(self, embeddings):
        """The share of each band."""
        return np.exp(embeddings[..., :10])


def write_music(folder, names, *, seconds, gain=1.0):
    """Real loops, repeated until they last as long as wanted."""
    folder.mkdir()
    for name in names:
        audio, info = read_mono(CORPUS_DIR / f"{name}.ogg")
        sf.write(
            folder / f"{name}.wav",
            np.resize(gain * audio, round(seconds * info.sample_rate)),
            info.sample_rate,
        )
    return folder
