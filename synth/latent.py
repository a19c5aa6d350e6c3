"""The noise that a UNAGAN is given: white, as published, or with the statistics of what its encoder
finds in recordings.

The published noise is independent at every step. With a cycle there is an encoder from mel to
noise, and what it makes of recordings is neither white nor independent; a vector autoregression
fitted to it (Lütkepohl 2005, New Introduction to Multiple Time Series Analysis, chapter 3) gives
noise that the generator has learnt to turn into sound.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

RIDGE = 1e-2  # of the variance, against directions that hardly vary
LARGEST_MEMORY = 0.98  # spectral radius above which noise would take minutes to settle, or never
SETTLING_STEPS = 64  # drawn and thrown away before the first


class LatentNoise(nn.Module):
    """z[t] = m + sum over i of transitions[i] (z[t - 1 - i] - m) + factor e[t], e white, m = mean +
    between u, u drawn once.

    So a clip differs from the next as recordings do, and moves within itself as they do. Order 0
    starts as e itself.
    """

    mean: Tensor
    between: Tensor
    transitions: Tensor
    factor: Tensor

    def __init__(self, channels: int, order: int = 0) -> None:
        super().__init__()
        self.order = order
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("between", torch.zeros(channels, channels))
        self.register_buffer("transitions", torch.zeros(order, channels, channels))
        self.register_buffer("factor", torch.eye(channels))

    def fit(self, latents: Sequence[np.ndarray]) -> None:
        """Least squares on sequences of different recordings, each shape (channels, steps), steps >
        order.
        """
        means = np.stack([latent.mean(1, dtype=np.float64) for latent in latents])
        now = []
        before = []
        for latent, own_mean in zip(latents, means, strict=True):
            centred = latent - own_mean[:, None]
            n = centred.shape[1]
            now.append(centred[:, self.order :])
            lags = [centred[:, self.order - 1 - i : n - 1 - i] for i in range(self.order)]
            before.append(np.concatenate(lags) if lags else np.empty((0, n)))
        y = np.concatenate(now, axis=1)
        x = np.concatenate(before, axis=1)
        gram = x @ x.T
        gram += RIDGE * np.trace(gram) / max(len(gram), 1) * np.eye(len(gram))
        coefficients = np.linalg.solve(gram, x @ y.T).T  # (channels, order * channels)
        residual = y - coefficients @ x
        channels = means.shape[1]
        deviations = means - means.mean(0)
        spread = deviations.T @ deviations / len(means) + 1e-8 * np.eye(channels)
        transitions = coefficients.reshape(channels, self.order, channels).transpose(1, 0, 2)
        covariance = residual @ residual.T / residual.shape[1] + 1e-8 * np.eye(channels)
        self.mean.copy_(torch.from_numpy(means.mean(0)))
        self.between.copy_(torch.from_numpy(np.linalg.cholesky(spread)))
        self.transitions.copy_(torch.from_numpy(settled(transitions).copy()))
        self.factor.copy_(torch.from_numpy(np.linalg.cholesky(covariance)))

    def draw(self, rng: np.random.Generator, steps: int) -> Tensor:
        """(channels, steps), drawn step by step, so that a step does not depend on how many follow."""
        settling = SETTLING_STEPS if self.order else 0
        own_mean = self.mean.cpu().numpy()
        if self.order:
            own_mean = own_mean + self.between.cpu().numpy() @ rng.standard_normal(
                len(own_mean), dtype=np.float32
            )
        white = rng.standard_normal((settling + steps, len(self.mean)), dtype=np.float32)
        innovations = white @ self.factor.cpu().numpy().T
        z = np.zeros((self.order + len(white), len(self.mean)), np.float32)
        transitions = (
            self.transitions.flip(0).cpu().numpy().transpose(1, 0, 2).reshape(len(self.mean), -1)
        )  # oldest first
        for t, innovation in enumerate(innovations, start=self.order):
            z[t] = innovation + transitions @ z[t - self.order : t].ravel()
        z = z[self.order + settling :] + own_mean
        return torch.from_numpy(np.ascontiguousarray(z.T))


def settled(transitions: np.ndarray) -> np.ndarray:
    """(order, channels, channels), with memories that fade: lag i is scaled by s**i so that the
    largest has LARGEST_MEMORY.
    """
    order, channels, _ = transitions.shape
    if not order:
        return transitions
    companion = np.zeros((order * channels, order * channels))
    companion[:channels] = transitions.transpose(1, 0, 2).reshape(channels, -1)
    companion[channels:, :-channels] = np.eye((order - 1) * channels)
    radius = np.abs(np.linalg.eigvals(companion)).max()
    scale = min(1.0, LARGEST_MEMORY / radius) if radius > 0 else 1.0
    return transitions * scale ** np.arange(1, order + 1)[:, None, None]
