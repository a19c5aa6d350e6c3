"""How near a mosaic is to its target: spectral KL divergence, and distance of MFCC."""

import numpy as np

WINDOW = 2048  # samples
HOP = 1024
FLOOR = 1e-4  # added to all magnitudes
LOUDEST = 1e-12  # sum of magnitudes below which a sound is silent


def spectral_kl(target: np.ndarray, result: np.ndarray) -> float:
    """Return the mean of A ln(A/B) - A + B over bins and frames.

    A and B are the magnitudes of the two sounds, (n,) at 44.1 kHz; B is scaled to A's sum, then
    1e-4 is added to both. The longer one is cut.
    """
    n = min(len(target), len(result))
    a = stft_magnitudes(target[:n])
    b = stft_magnitudes(result[:n])
    b = b * (a.sum() / max(b.sum(), LOUDEST)) + FLOOR
    a = a + FLOOR
    return float(np.mean(a * np.log(a / b) - a + b))


def stft_magnitudes(samples: np.ndarray) -> np.ndarray:
    """Return float64 (frames, bins) under Hann windows, the first centred on the first sample."""
    padded = np.pad(samples, WINDOW // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]
    return np.abs(np.fft.rfft(frames * np.hanning(WINDOW + 1)[:-1], axis=1))
