"""Loudness of short spans: the K-weighted mean square (BS.1770-5) of these samples alone.

The weighting is applied to the spectrum of the span, so that nothing before it counts: a filter
would still ring with what came before, and the frames of descriptors reach beyond their unit.
"""

from collections.abc import Iterable, Iterator
from functools import lru_cache

import numpy as np

from audio.loudness import k_weighted_bins

FLOOR = -120.0  # LUFS, of silence
BATCH_SAMPLES = 1 << 18  # transformed at a time


def span_loudness(spans: np.ndarray, sample_rate: int) -> np.ndarray:
    """Return the loudness of spans of one length in LUFS, float64, (n,).

    Parameters
    ----------
    spans : ndarray, float32, shape (n, n_samples >= 1)
    sample_rate : int > 0
        Hz.
    """
    power = np.abs(np.fft.rfft(spans)) ** 2
    mean_square = power @ _weights(sample_rate, spans.shape[1])
    return np.maximum(-0.691 + 10 * np.log10(np.maximum(mean_square, 1e-30)), FLOOR)


def loudness_of_each(spans: Iterable[np.ndarray], sample_rate: int) -> np.ndarray:
    """Return the loudness of spans (n_samples,) of any lengths, as `span_loudness`."""
    batches = (np.stack(batch) for batch in _alike(spans))
    levels = [span_loudness(batch, sample_rate) for batch in batches]
    return np.concatenate([np.empty(0), *levels])


def _alike(spans: Iterable[np.ndarray]) -> Iterator[list[np.ndarray]]:
    """Yield successive spans of one length together, as many as are measured at a time."""
    batch: list[np.ndarray] = []
    for span in spans:
        full = batch and (len(batch) + 1) * len(span) > BATCH_SAMPLES
        if full or (batch and len(batch[0]) != len(span)):
            yield batch
            batch = []
        batch.append(span)
    if batch:
        yield batch


@lru_cache(maxsize=64)
def _weights(sample_rate: int, n_samples: int) -> np.ndarray:
    """Return what each bin of |FFT|² counts in the mean square; shape (1 + n_samples // 2,)."""
    return k_weighted_bins(sample_rate, n_samples) / n_samples**2
