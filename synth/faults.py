"""Find faults in generated audio: not finite, silent, offset from zero, or stuck.

The limits lie beyond the most extreme value (in brackets) found in 225 files of piano, bands,
orchestras, electronic music and single hits.
"""

import math

import numpy as np

from synth.mel import MelSettings, log_mel

SILENT_PEAK = 1e-3  # -60 dBFS
SILENT_RMS = 10 ** (-70 / 20)  # -70 dBFS, of a block
SILENT_SHARE = 0.9  # of the blocks (0.06)
BLOCK_SECONDS = 0.05
MAX_OFFSET = 0.25  # of the RMS, a 16th of the power (0.18, without five files that have an offset)
STUCK = 0.05  # nepers between a spectrogram and itself some frames later (0.195)
WINDOW_SECONDS = 6.0  # within which audio is stuck or repeats a loop of at most half of it
AUDIBLE = 1.0  # nepers above silence


def audio_fault(audio: np.ndarray, settings: MelSettings) -> str | None:
    """Return why finite audio, float32 (n_samples,), is broken, or None."""
    if _is_silent(audio, settings):
        return "silent"
    rms = math.sqrt(np.square(audio).mean(dtype=np.float64))
    if abs(audio.mean(dtype=np.float64)) > MAX_OFFSET * rms:
        return "constant offset"
    whole_hops = audio[: len(audio) // settings.hop_length * settings.hop_length]
    # Leave out the frames at the ends: a steady tone changes where the audio is reflected.
    edge = -(-settings.n_fft // (2 * settings.hop_length))
    return mel_fault(log_mel(whole_hops, settings)[:, edge:-edge], settings)


def _is_silent(audio: np.ndarray, settings: MelSettings) -> bool:
    block = round(BLOCK_SECONDS * settings.sample_rate)
    whole_blocks = audio[: len(audio) // block * block]
    blocks = whole_blocks.reshape(-1, block)
    is_quiet = np.square(blocks).mean(axis=1) < SILENT_RMS**2
    return bool(np.abs(audio).max() < SILENT_PEAK or is_quiet.mean() > SILENT_SHARE)


def mel_fault(mel: np.ndarray, settings: MelSettings) -> str | None:
    """Return why a log-mel spectrogram (n_mels, frames) is broken, or None.

    It is stuck if a window nearly equals itself some frames later: one frame for a steady tone,
    more for a repeated loop. Only bands that are audible in the window count.
    """
    if not np.isfinite(mel).all():
        return "not finite"
    nepers = mel if settings.log == "ln" else mel * math.log(10)
    threshold = math.log(settings.floor) + AUDIBLE
    n_windows = max(int(mel.shape[1] / (WINDOW_SECONDS * settings.frame_rate)), 1)
    for window in np.array_split(nepers, n_windows, axis=1):
        audible = window[window.max(axis=1) > threshold]
        if len(audible) and _self_distances(audible).min() < STUCK:
            return "stuck"
    return None


def _self_distances(window: np.ndarray) -> np.ndarray:
    """Return the RMS differences of (n_bands, n) and itself 1, 2, … n // 2 frames later.

    By |a - b|² = |a|² + |b|² - 2ab, with ab from an FFT.
    """
    window = window.astype(np.float64)
    n_bands, n = window.shape
    spectra = np.fft.rfft(window, 2 * n, axis=1)
    power = np.square(np.abs(spectra)).sum(axis=0)
    products = np.fft.irfft(power, 2 * n)
    frame_energy = np.square(window).sum(axis=0)
    energy = np.concatenate([[0.0], np.cumsum(frame_energy)])
    lags = np.arange(1, n // 2 + 1)
    squares = energy[n - lags] + energy[n] - energy[lags] - 2 * products[lags]
    return np.sqrt(np.maximum(squares, 0) / ((n - lags) * n_bands))
