"""Resample whole signals and streams of blocks with soxr HQ, librosa's default."""

from collections.abc import Iterable, Iterator

import numpy as np
import soxr


def resampled_length(n_samples: int, from_rate: int, to_rate: int) -> int:
    """Return the length of a signal at `to_rate`, rounded up in exact arithmetic."""
    return -(-n_samples * to_rate // from_rate)


def resample(samples: np.ndarray, from_rate: int, to_rate: int) -> np.ndarray:
    """Resample a whole signal.

    Parameters
    ----------
    samples : ndarray, float32, shape (n_samples,) or (n_samples, channels)
    from_rate, to_rate : int > 0
        Hz.

    Returns
    -------
    ndarray, float32, shape (resampled_length, ...)
    """
    if from_rate == to_rate:
        return samples
    length = resampled_length(len(samples), from_rate, to_rate)
    out = soxr.resample(samples, from_rate, to_rate, quality="HQ").astype(np.float32, copy=False)
    if len(out) < length:  # soxr rounds the length down; a silent sample makes up for it
        out = np.concatenate([out, np.zeros((length - len(out), *out.shape[1:]), np.float32)])
    return out[:length]


def resample_blocks(
    blocks: Iterable[np.ndarray], from_rate: int, to_rate: int, *, channels: int = 1
) -> Iterator[np.ndarray]:
    """Resample a signal block by block; the samples are those of `resample`.

    Parameters
    ----------
    blocks : iterable of ndarray, float32, shape (n,) or (n, channels)

    Yields
    ------
    ndarray, float32, shaped as `blocks`
        Of any length; `resampled_length` samples in all.
    """
    if from_rate == to_rate:
        yield from blocks
        return
    stream = soxr.ResampleStream(from_rate, to_rate, channels, dtype="float32", quality="HQ")
    n_in = 0
    n_out = 0
    shape: tuple[int, ...] = ()
    for block in blocks:
        n_in += len(block)
        shape = block.shape[1:]
        out = stream.resample_chunk(block)
        n_out += len(out)
        yield out
    missing = resampled_length(n_in, from_rate, to_rate) - n_out
    tail = stream.resample_chunk(np.empty((0, *shape), np.float32), last=True)[:missing]
    silence = np.zeros((missing - len(tail), *shape), np.float32)
    yield np.concatenate([tail, silence])  # as in `resample`
