"""What MusicGen-Melody hears of a melody: the strongest of 12 pitch classes, 7.8 times a second.

As in Copet et al., arXiv 2306.05284, section 2.4, but without separating drums and bass first.
"""

import numpy as np
import torch

from audio.librosa_import import import_librosa

N_FFT = 16384  # samples at 32 kHz, as trained
HOP_LENGTH = 4096


def one_hot_chroma(audio: np.ndarray, sample_rate: int, n_chroma: int) -> np.ndarray:
    """Return the strongest pitch class of each frame.

    Parameters
    ----------
    audio : ndarray, float32, shape (n_samples,)

    Returns
    -------
    ndarray, float32, shape (1 + n_samples // HOP_LENGTH, n_chroma)
        One 1 in each row.
    """
    missing = max(N_FFT - len(audio), 0)
    padded = torch.from_numpy(np.pad(audio, (missing // 2, missing - missing // 2)))
    spectrum = torch.stft(
        padded, N_FFT, HOP_LENGTH, window=torch.hann_window(N_FFT), return_complex=True
    )
    filters = import_librosa().filters.chroma(
        sr=sample_rate, n_fft=N_FFT, tuning=0, n_chroma=n_chroma
    )
    strongest = (filters @ spectrum.abs().square().numpy()).argmax(axis=0)
    return np.eye(n_chroma, dtype=np.float32)[strongest]


def chroma_from(chroma: np.ndarray, start_sample: int, n_frames: int) -> np.ndarray:
    """Return at most `n_frames` frames from a sample on; before the beginning it is the first."""
    first = round(start_sample / HOP_LENGTH)
    before = np.repeat(chroma[:1], max(-first, 0), axis=0)
    span = np.concatenate([before, chroma[max(first, 0) :]])[:n_frames]
    return span if len(span) else chroma[-1:]
