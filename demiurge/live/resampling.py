"""Resample a signal for a device, with a delay of 32 samples.

soxr, which everything else is resampled with, hands out HQ streams about 900 samples late and 1024
at a time; that would double the latency. This is a windowed sinc, one row of weights for each of
the positions that samples of the output can have between two samples of the input.
"""

from math import gcd

import numpy as np

TAPS = 64  # samples of the input that one of the output is made from
BETA = 9.0  # of the Kaiser window: images are 90 dB lower
ROLLOFF = 0.92  # of the lower Nyquist frequency


class DeviceResampling:
    """A signal at another rate, made as it is asked for."""

    def __init__(self, from_rate: int, to_rate: int, channels: int) -> None:
        common = gcd(from_rate, to_rate)
        self._up = to_rate // common
        self._down = from_rate // common
        self._weights = _weights(self._up, self._down)
        self._history = np.zeros((TAPS, channels), np.float32)
        self._waiting = np.empty((0, channels), np.float32)  # for `add`
        self._phase = 0  # of the next output sample behind the next input sample, in 1 / up

    def needed(self, n_samples: int) -> int:
        """Return how many input samples the next `n_samples` of the output need."""
        return (self._phase + (n_samples - 1) * self._down) // self._up + 1 if n_samples else 0

    def add(self, block: np.ndarray) -> np.ndarray:
        """Take input samples of any number, float32, (n, channels); return what they complete."""
        self._waiting = np.concatenate([self._waiting, block])
        room = (len(self._waiting) - 1) * self._up - self._phase
        n_samples = room // self._down + 1 if room >= 0 else 0
        needed = self.needed(n_samples)
        made = self.make(self._waiting[:needed], n_samples)
        self._waiting = self._waiting[needed:]
        return made

    def make(self, block: np.ndarray, n_samples: int) -> np.ndarray:
        """Return the next samples, float32, (n_samples, channels).

        Parameters
        ----------
        block : ndarray, float32, shape (needed(n_samples), channels)
            The next samples of the input.
        """
        heard = np.concatenate([self._history, block])
        places = self._phase + self._down * np.arange(n_samples)
        windows = np.lib.stride_tricks.sliding_window_view(heard, TAPS, axis=0)
        weights = self._weights[places % self._up]
        out = np.einsum("nct,nt->nc", windows[places // self._up + 1], weights)
        self._history = heard[len(heard) - TAPS :]
        self._phase += self._down * n_samples - self._up * len(block)
        return out


def _weights(up: int, down: int) -> np.ndarray:
    """Return the weights for each position between two input samples, (up, TAPS)."""
    fractions = np.arange(up)[:, np.newaxis] / up
    distances = np.arange(TAPS) - TAPS // 2 + 1 - fractions
    cutoff = ROLLOFF * min(1.0, up / down)
    window = np.i0(BETA * np.sqrt(np.maximum(1 - (distances / (TAPS // 2)) ** 2, 0)))
    weights = np.sinc(cutoff * distances) * window
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
