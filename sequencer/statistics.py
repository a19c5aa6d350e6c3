"""Statistics to compare rollouts with data; all sequences are z-scored, (steps, n)."""

import numpy as np

from training.frechet import Gaussian, gaussian_distance

MIN_VARIANCE = 1e-9  # of a column; less counts as constant


def window_distances(
    first: list[np.ndarray], second: list[np.ndarray], windows: tuple[int, ...]
) -> dict[int, float]:
    """Return the Fréchet distance of all windows of two sets of sequences, by window length."""
    distances = {}
    for steps in windows:
        gaussians = [window_gaussian(sequences, steps) for sequences in (first, second)]
        distances[steps] = gaussian_distance(*gaussians)
    return distances


def window_gaussian(sequences: list[np.ndarray], steps: int) -> Gaussian:
    """Fit a Gaussian to every `steps` successive steps, each taken as one row (n * steps,)."""
    return Gaussian.of_moments(*window_moments(sequences, steps))


def window_moments(sequences: list[np.ndarray], steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Return mean (n * steps,) and covariance of every `steps` successive steps as one row."""
    count = 0
    size = steps * sequences[0].shape[1]
    total = np.zeros(size)
    gram = np.zeros((size, size))
    for sequence in sequences:
        if len(sequence) >= steps:
            windows = np.lib.stride_tricks.sliding_window_view(sequence, steps, axis=0)
            rows = windows.reshape(-1, size).astype(np.float64)
            count += len(rows)
            total += rows.sum(axis=0)
            gram += rows.T @ rows
    mean = total / count
    return mean, gram / count - np.outer(mean, mean)


def mean_change(sequences: list[np.ndarray]) -> float:
    """Return the mean absolute change from one step to the next."""
    changes = [np.abs(np.diff(sequence, axis=0)) for sequence in sequences]
    return np.concatenate(changes).mean()


def autocorrelation(sequences: list[np.ndarray], n_lags: int) -> np.ndarray:
    """Return the autocorrelation at lags 1 to `n_lags`, (n_lags,), mean over all columns.

    Constant columns are left out; 1 if all are constant.
    """
    rows = []
    for sequence in sequences:
        centred = sequence - sequence.mean(axis=0)
        power = (centred**2).sum(axis=0)
        for column in np.flatnonzero(power > MIN_VARIANCE * len(sequence)):
            x = centred[:, column]
            products = [float(x[:-lag] @ x[lag:]) for lag in range(1, n_lags + 1)]
            rows.append([product / power[column] for product in products])
    return np.mean(rows, axis=0) if rows else np.ones(n_lags)


def distinct_share(made: np.ndarray, train: list[np.ndarray]) -> float:
    """Return the share of distinct training steps among those nearest to the steps of `made`."""
    import faiss

    index = faiss.IndexFlatL2(made.shape[1])
    index.add(np.concatenate(train).astype(np.float32))
    _, found = index.search(np.ascontiguousarray(made, np.float32), 1)
    return len(np.unique(found)) / len(made)


def error_of_mean(samples: np.ndarray, truth: np.ndarray) -> float:
    """Return the mean squared error of the mean forecast, estimated without bias.

    The mean of few samples (n_samples, ...) also errs by its own variance, which is subtracted.
    """
    error = ((samples.mean(axis=0) - truth) ** 2).mean()
    if len(samples) == 1:
        return float(error)
    return float(error - samples.var(axis=0, ddof=1).mean() / len(samples))
