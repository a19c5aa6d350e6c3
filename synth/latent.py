"""The input noise of a UNAGAN: white, as published, or fitted to its encoder's output.

The published noise is independent at every step. But a UNAGAN with a cycle has an encoder from mel
to noise, whose output for real audio is neither white nor independent. A vector autoregression
fitted to that (Lütkepohl 2005, New Introduction to Multiple Time Series Analysis, chapter 3) gives
noise of the kind that the generator has learnt to turn into sound.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

RIDGE = 1e-2  # of the variance; regularises directions that hardly vary
MIN_VARIANCE = 1e-8  # added to covariances, so that they can be factored
LARGEST_MEMORY = 0.98  # spectral radius; above this, noise would take minutes or forever to settle
SETTLING_STEPS = 64  # drawn and discarded before the first step


class LatentNoise(nn.Module):
    """A vector autoregression around a mean that differs from clip to clip.

    z[t] = m + sum over i of transitions[i] (z[t - 1 - i] - m) + factor e[t], with e white, and
    m = mean + between u, with u drawn once per clip. So both the differences between clips and the
    changes within a clip are like those of files. Unfitted noise of order 0 is e itself.
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
        """Fit to sequences from different files, each shape (channels, steps), steps > order."""
        means = np.stack([latent.mean(1, dtype=np.float64) for latent in latents])
        channels = means.shape[1]
        centred = [latent - mean[:, None] for latent, mean in zip(latents, means, strict=True)]
        x, y = lagged(centred, self.order)
        coefficients = ridge_regression(x, y)  # (channels, order * channels)
        by_lag = coefficients.reshape(channels, self.order, channels)
        transitions = by_lag.transpose(1, 0, 2)
        residual = y - coefficients @ x
        deviations = means - means.mean(0)
        self.mean.copy_(torch.from_numpy(means.mean(0)))
        self.between.copy_(torch.from_numpy(covariance_factor(deviations.T)))
        fading = settled(transitions).copy()
        self.transitions.copy_(torch.from_numpy(fading))
        self.factor.copy_(torch.from_numpy(covariance_factor(residual)))

    def draw(self, rng: np.random.Generator, steps: int) -> Tensor:
        """Draw (channels, steps), step by step, so that no step depends on how many follow."""
        settling = SETTLING_STEPS if self.order else 0
        channels = len(self.mean)
        clip_mean = self.mean.cpu().numpy()
        if self.order:
            white = rng.standard_normal(channels, dtype=np.float32)
            clip_mean = clip_mean + self.between.cpu().numpy() @ white
        white = rng.standard_normal((settling + steps, channels), dtype=np.float32)
        innovations = white @ self.factor.cpu().numpy().T
        z = np.zeros((self.order + len(white), channels), np.float32)
        oldest_first = self.transitions.flip(0).cpu().numpy()
        transitions = oldest_first.transpose(1, 0, 2).reshape(channels, -1)
        for t, innovation in enumerate(innovations, start=self.order):
            z[t] = innovation + transitions @ z[t - self.order : t].ravel()
        z = z[self.order + settling :] + clip_mean
        return torch.from_numpy(np.ascontiguousarray(z.T))


def lagged(sequences: Sequence[np.ndarray], order: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the steps before, newest first (order * channels, n), and the steps (channels, n)."""
    before = []
    now = []
    for sequence in sequences:
        n = sequence.shape[1]
        now.append(sequence[:, order:])
        lags = [sequence[:, order - 1 - i : n - 1 - i] for i in range(order)]
        before.append(np.concatenate(lags) if lags else np.empty((0, n)))
    return np.concatenate(before, axis=1), np.concatenate(now, axis=1)


def ridge_regression(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the ridge regression B of y on x, y ≈ B x; each column is a step."""
    gram = x @ x.T
    n = len(gram)
    gram += RIDGE * np.trace(gram) / max(n, 1) * np.eye(n)
    return np.linalg.solve(gram, x @ y.T).T


def covariance_factor(deviations: np.ndarray) -> np.ndarray:
    """Return the lower triangular factor of the covariance of (channels, n) deviations."""
    channels, n = deviations.shape
    covariance = deviations @ deviations.T / n + MIN_VARIANCE * np.eye(channels)
    return np.linalg.cholesky(covariance)


def settled(transitions: np.ndarray) -> np.ndarray:
    """Return stable transitions (order, channels, channels).

    Lag i is scaled by s**i so that the spectral radius is at most LARGEST_MEMORY.
    """
    order, channels, _ = transitions.shape
    if not order:
        return transitions
    n = order * channels
    companion = np.zeros((n, n))
    companion[:channels] = transitions.transpose(1, 0, 2).reshape(channels, -1)
    companion[channels:, :-channels] = np.eye(n - channels)
    radius = np.abs(np.linalg.eigvals(companion)).max()
    scale = min(1.0, LARGEST_MEMORY / radius) if radius > 0 else 1.0
    factors = scale ** np.arange(1, order + 1)
    return transitions * factors[:, None, None]
