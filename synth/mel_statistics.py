"""Short descriptions of mel spectrograms, quick enough to judge a generator with while it trains."""

import numpy as np
from scipy.fft import dct

WINDOW_FRAMES = 128  # 1.5 s at 22.05 kHz / 256
N_COEFFICIENTS = 16  # of each cosine transform over the bands


def mel_statistics(mels: np.ndarray) -> np.ndarray:
    """Describe each window by its mean spectrum, its spread around it, and its change from frame to
    frame.

    Parameters
    ----------
    mels : ndarray, shape (n_clips, n_mels, frames), frames >= WINDOW_FRAMES
        Normalised log-mel.

    Returns
    -------
    ndarray, float64, shape (n_clips * (frames // WINDOW_FRAMES), 3 * N_COEFFICIENTS)
        Cosine transforms over the bands, orthonormal, of the three.
    """
    n_clips, n_mels, frames = mels.shape
    n_windows = frames // WINDOW_FRAMES
    cut = mels[:, :, : n_windows * WINDOW_FRAMES].reshape(n_clips, n_mels, n_windows, WINDOW_FRAMES)
    windows = cut.transpose(0, 2, 1, 3).reshape(-1, n_mels, WINDOW_FRAMES).astype(np.float64)
    parts = [windows.mean(-1), windows.std(-1), np.abs(np.diff(windows, axis=-1)).mean(-1)]
    return np.concatenate(
        [dct(part, norm="ortho", axis=1)[:, :N_COEFFICIENTS] for part in parts], axis=1
    )
