"""Onsets: the beginnings of notes and strokes."""

import numpy as np

from audio.librosa_import import import_librosa
from audio.resample import resample

SAMPLE_RATE = 22050  # Hz
HOP_LENGTH = 256  # 12 ms
FRAME_RATE = SAMPLE_RATE / HOP_LENGTH  # frames per second
SMOOTHING_SECONDS = 0.02  # standard deviation: attacks 20 ms apart count as nearly simultaneous


def onset_strength(audio: np.ndarray, sample_rate: int) -> np.ndarray:
    """Return how much the mel bands rise from frame to frame, slightly smoothed.

    Parameters
    ----------
    audio : ndarray, float32, shape (n_samples,)
    sample_rate : int > 0
        Hz.

    Returns
    -------
    ndarray, float64, shape (n_frames,)
        `FRAME_RATE` values a second.
    """
    from scipy.ndimage import gaussian_filter1d

    strength = _strength(audio, sample_rate)
    frames = SMOOTHING_SECONDS * SAMPLE_RATE / HOP_LENGTH
    return gaussian_filter1d(strength.astype(np.float64), frames)


def find_onsets(audio: np.ndarray, sample_rate: int) -> np.ndarray:
    """Return the times of onsets in seconds, to about 10 ms; `audio` is (n_samples,), float32."""
    frames = import_librosa().onset.onset_detect(
        onset_envelope=_strength(audio, sample_rate), sr=SAMPLE_RATE, hop_length=HOP_LENGTH
    )
    return frames * HOP_LENGTH / SAMPLE_RATE


def _strength(audio: np.ndarray, sample_rate: int) -> np.ndarray:
    """Return librosa's onset strength, (n_frames,), not smoothed."""
    audio = resample(audio, sample_rate, SAMPLE_RATE)
    return import_librosa().onset.onset_strength(y=audio, sr=SAMPLE_RATE, hop_length=HOP_LENGTH)
