"""Chroma: how much of each pitch class is heard."""

import numpy as np

from audio.librosa_import import import_librosa
from audio.resample import resample

SAMPLE_RATE = 22050  # Hz
N_FFT = 4096  # 5 Hz between bins: semitones from 90 Hz on
HOP_LENGTH = 2048


def mean_chroma(audio: np.ndarray, sample_rate: int) -> np.ndarray:
    """Return the mean share of each pitch class, from C, at A = 440 Hz.

    Parameters
    ----------
    audio : ndarray, float32, shape (n_samples,)
    sample_rate : int > 0
        Hz.

    Returns
    -------
    ndarray, float64, shape (12,), each 0 to 1
        In each frame the strongest class is 1, so that loud frames count no more than others;
        silent frames are 0.
    """
    audio = resample(audio, sample_rate, SAMPLE_RATE)
    chroma = import_librosa().feature.chroma_stft(
        y=audio, sr=SAMPLE_RATE, n_fft=N_FFT, hop_length=HOP_LENGTH, tuning=0.0
    )
    return chroma.astype(np.float64).mean(axis=1)
