"""Channels of audio: another number of them."""

import numpy as np


def fit_channels(samples: np.ndarray, channels: int) -> np.ndarray:
    """(n_samples, any) -> (n_samples, channels).

    Mono is repeated on every channel; to mono the mean is taken; otherwise channels are kept in
    order, missing ones silent.
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
