"""Fréchet Audio Distance (arXiv 1812.08466): a Fréchet distance between embeddings of audio."""

from collections.abc import Iterable
from typing import Protocol

import numpy as np

from training.frechet import frechet_distance

FEWEST_WINDOWS = 100  # with fewer embeddings, the distance of any two sets is far too high


class Embedding(Protocol):
    """Turns audio into vectors, close if it sounds similar, like `synth.musicnn.Musicnn`."""

    def embed(self, audio: np.ndarray, sample_rate: int) -> np.ndarray:
        """(n_samples,) -> (n_windows, d), n_windows > 0 and given by the length alone."""
        ...


def embed_clips(clips: Iterable[np.ndarray], sample_rate: int, embedding: Embedding) -> np.ndarray:
    """Embed clips of equal length: shape (n_clips, n_windows, d)."""
    return np.stack([embedding.embed(clip, sample_rate) for clip in clips])


def audio_distance(clips: np.ndarray, others: np.ndarray) -> float:
    """Return the distance between the windows of two sets, each (n_clips, n_windows, d)."""
    n_dimensions = clips.shape[-1]
    windows = clips.reshape(-1, n_dimensions)
    return frechet_distance(windows, others.reshape(-1, n_dimensions))
