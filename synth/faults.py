"""What is wrong with generated audio: not finite, silent, beside zero, or stuck."""

import math

import numpy as np

from synth.mel import MelSettings, log_mel

# What is broken. In brackets what was measured on 225 recordings: piano, bands, orchestras,
# electronic, single hits. -60 dBFS, and -70 dBFS of a block
SILENT_PEAK = 1e-3
SILENT_RMS = 10 ** (-70 / 20)
# of the blocks (at most 0.06)
SILENT_SHARE = 0.9
BLOCK_SECONDS = 0.05
# of the RMS, a sixteenth of the power (at most 0.18, but for five files with a real offset)
MAX_OFFSET = 0.25
STUCK = 0.05  # nepers between a spectrogram and itself some frames later (at least 0.195)
WINDOW_SECONDS = 6.0  # that are stuck, or repeat what is at most half as long
AUDIBLE = 1.0  # nepers above silence


def audio_fault(audio: np.ndarray, settings: MelSettings) -> str | None:
    """Why finite audio, float32 (n_samples,), is broken, or None."""
    block = round(BLOCK_SECONDS * settings.sample_rate)
    blocks = audio[: len(audio) // block * block].reshape(-1, block)
    quiet = np.square(blocks).mean(axis=1) < SILENT_RMS**2
    if np.abs(audio).max() < SILENT_PEAK or quiet.mean() > SILENT_SHARE:
        return "silent"
    if abs(audio.mean(dtype=np.float64)) > MAX_OFFSET * math.sqrt(
        np.square(audio).mean(dtype=np.float64)
    ):
        return "constant offset"
    whole = audio[: len(audio) // settings.hop_length * settings.hop_length]
    edge = -(
        -settings.n_fft // (2 * settings.hop_length)
    )  # frames that see the reflection, where a steady tone changes
    return mel_fault(log_mel(whole, settings)[:, edge:-edge], settings)


def mel_fault(mel: np.ndarray, settings: MelSettings) -> str | None:
    """Why a log-mel spectrogram (n_mels, frames) is broken, or None.

    It is stuck if a window is nearly the same as itself some frames later: a held sound that does
    not live (one frame later) or a repeated loop. Only bands that are audible in the window count.
    """
    if not np.isfinite(mel).all():
        return "not finite"
    nepers = mel if settings.log == "ln" else mel * math.log(10)
    audible = math.log(settings.floor) + AUDIBLE
    n_windows = max(int(mel.shape[1] / (WINDOW_SECONDS * settings.frame_rate)), 1)
    for window in np.array_split(nepers, n_windows, axis=1):
        heard = window[window.max(axis=1) > audible]
        if len(heard) and _self_distances(heard).min() < STUCK:
            return "stuck"
    return None


def _self_distances(window: np.ndarray) -> np.ndarray:
    """RMS differences of (n_bands, n) and itself 1, 2, … n // 2 frames later: |a - b|² = |a|² +
    |b|² - 2ab, ab by FFT.
    """
    window = window.astype(np.float64)
    n_bands, n = window.shape
    spectra = np.fft.rfft(window, 2 * n, axis=1)
    products = np.fft.irfft(np.square(np.abs(spectra)).sum(axis=0), 2 * n)
    energy = np.concatenate([[0.0], np.cumsum(np.square(window).sum(axis=0))])
    lags = np.arange(1, n // 2 + 1)
    squares = energy[n - lags] + energy[n] - energy[lags] - 2 * products[lags]
    return np.sqrt(np.maximum(squares, 0) / ((n - lags) * n_bands))
