"""Mel statistics: cheap features whose Fréchet distance validates a generator in training.

A window is described by three things, each of which a generator can get wrong: its mean spectrum
(is the timbre right?), the spread around it (are there loud and quiet moments, or a drone?), and
the change from frame to frame (are there attacks, or is it smeared?). A mel L1 cannot be used,
since generated audio has no original; the embeddings of `synth.musicnn` need a vocoder and a
package that most people do not have.
"""

import numpy as np
from scipy.fft import dct

WINDOW_FRAMES = 128  # 1.5 s at 22.05 kHz / 256
# coefficients of each cosine transform: they describe the envelope, and are few enough to estimate
# covariances from little audio
N_COEFFICIENTS = 16


def mel_statistics(mels: np.ndarray) -> np.ndarray:
    """Describe each window by its mean spectrum, the spread around it, and its rate of change.

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
    whole = mels[:, :, : n_windows * WINDOW_FRAMES]
    cut = whole.reshape(n_clips, n_mels, n_windows, WINDOW_FRAMES)
    # (clips, bands, windows, frames) -> (windows, bands, frames)
    windows = cut.transpose(0, 2, 1, 3).reshape(-1, n_mels, WINDOW_FRAMES)
    windows = windows.astype(np.float64)
    mean = windows.mean(-1)
    spread = windows.std(-1)
    change = np.abs(np.diff(windows, axis=-1)).mean(-1)
    parts = []
    for part in (mean, spread, change):
        coefficients = dct(part, norm="ortho", axis=1)
        parts.append(coefficients[:, :N_COEFFICIENTS])
    return np.concatenate(parts, axis=1)
