"""Convert audio to mono, or to another number of channels."""

import numpy as np

from audio.cancellation import PROBED_SAMPLES, STRETCH_SAMPLES, Cancellation


def to_mono(samples: np.ndarray) -> np.ndarray:
    """Return the mean of the channels: (n_samples, channels) -> (n_samples,)."""
    if samples.shape[1] == 1:
        return samples[:, 0]
    if samples.shape[1] == 2:
        return (samples[:, 0] + samples[:, 1]) * np.float32(0.5)
    return samples.mean(axis=1)


def integers_to_mono(samples: np.ndarray, cancellation: Cancellation | None = None) -> np.ndarray:
    """Return the mean of one or two int16 channels: (n_samples, 1 or 2) -> float32 (n_samples,).

    The result is exact: the sum of two samples has 17 bits, and a float32 holds 24. The samples are
    converted in stretches that stay in the processor's cache, and shown to `cancellation`.
    """
    if samples.shape[1] == 1:
        return samples[:, 0] * np.float32(1 / 32768)
    mono = np.empty(len(samples), np.float32)
    powers: list[float] = []
    sum_powers: list[float] = []
    for start in range(0, len(samples), STRETCH_SAMPLES):
        pairs = samples[start : start + STRETCH_SAMPLES].astype(np.float32)
        sums = np.add(pairs[:, 0], pairs[:, 1], out=mono[start : start + STRETCH_SAMPLES])
        flat = pairs[:PROBED_SAMPLES].ravel()
        powers.append(np.dot(flat, flat))
        sum_powers.append(np.dot(sums[:PROBED_SAMPLES], sums[:PROBED_SAMPLES]))
    mono *= np.float32(1 / 65536)
    if cancellation:
        cancellation.compare(samples, mono, np.array(powers), np.array(sum_powers) / 4)
    return mono


def fit_channels(samples: np.ndarray, channels: int) -> np.ndarray:
    """Return samples with another number of channels: (n_samples, any) -> (n_samples, channels).

    Mono is repeated on every channel; conversion to mono takes the mean. Otherwise the first
    channels are kept in their order, and missing ones are silent.
    """
    given = samples.shape[1]
    if given == channels:
        return samples
    if given == 1:
        return np.repeat(samples, channels, axis=1)
    if channels == 1:
        return samples.mean(axis=1, keepdims=True)
    if given > channels:
        return samples[:, :channels]
    return np.pad(samples, ((0, 0), (0, channels - given)))
