"""Loudness over time, and silence."""

import numpy as np

from audio.loudness import k_weighting

WINDOW_SECONDS = 5.0
STEP_SECONDS = 0.1
SILENCE_STEP_SECONDS = 0.01
SILENCE_DB = -50.0  # relative to the seed: quieter than a fade or the end of a note
LEAST_LUFS = -70.0  # the absolute gate of BS.1770: what is quieter counts as this loud


def loudness_course(audio: np.ndarray, sample_rate: int) -> np.ndarray:
    """Return the K-weighted loudness (BS.1770-4) of every 5 s, without gates.

    Parameters
    ----------
    audio : ndarray, float32, shape (n_samples,)
    sample_rate : int >= 4000
        Hz.

    Returns
    -------
    ndarray, float64, shape (n_windows >= 1,)
        LUFS, at least -70, one value per 0.1 s. Audio shorter than 5 s is one window.
    """
    from scipy.signal import sosfilt

    weighted = np.square(sosfilt(k_weighting(sample_rate), audio.astype(np.float64)))
    powers = _means(weighted, round(STEP_SECONDS * sample_rate))
    n_steps = min(round(WINDOW_SECONDS / STEP_SECONDS), len(powers))
    means = np.convolve(powers, np.full(n_steps, 1 / n_steps), mode="valid")
    return _loudness(means)


def loudness_deviation(audio: np.ndarray, seed: np.ndarray, sample_rate: int) -> float:
    """Return the largest difference in dB of any 5 s from the mean loudness of the seed, >= 0.

    The audio and the seed are (n_samples,), float32.
    """
    from scipy.signal import sosfilt

    weighted = sosfilt(k_weighting(sample_rate), seed.astype(np.float64))
    of_seed = _loudness(np.square(weighted).mean())
    return float(np.abs(loudness_course(audio, sample_rate) - of_seed).max())


def longest_silence(audio: np.ndarray, seed: np.ndarray, sample_rate: int) -> float:
    """Return the longest time in seconds without sound, to 10 ms.

    Silence is what lies 50 dB or more under the root mean square of the seed, or at 0 if the seed
    is silent. The audio and the seed are (n_samples,), float32; they can be the same, to measure
    the silence of a seed.
    """
    level = float(np.square(seed.astype(np.float64)).mean())
    powers = _means(np.square(audio.astype(np.float64)), round(SILENCE_STEP_SECONDS * sample_rate))
    is_silent = powers <= level * 10 ** (SILENCE_DB / 10)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], is_silent, [False]])))
    lengths = edges[1::2] - edges[::2]
    return float(lengths.max(initial=0)) * SILENCE_STEP_SECONDS


def _means(values: np.ndarray, size: int) -> np.ndarray:
    """Return the means of whole blocks of `size`, or of all if there are fewer."""
    n_blocks = len(values) // size
    if not n_blocks:
        return values.mean(keepdims=True)
    return values[: n_blocks * size].reshape(n_blocks, size).mean(axis=1)


def _loudness(power: np.ndarray) -> np.ndarray:
    return np.maximum(-0.691 + 10 * np.log10(np.maximum(power, 1e-20)), LEAST_LUFS)
