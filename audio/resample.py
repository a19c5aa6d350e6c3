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


class Resampling:
    """Resamples a signal as it comes, block by block; the samples are those of `resample`."""

    def __init__(self, from_rate: int, to_rate: int, *, channels: int = 1) -> None:
        self._rates = from_rate, to_rate
        self._n_in = 0
        self._n_out = 0
        self._shape: tuple[int, ...] = ()
        self._stream = None
        if from_rate != to_rate:
            self._stream = soxr.ResampleStream(
                from_rate, to_rate, channels, dtype="float32", quality="HQ"
            )

    def add(self, block: np.ndarray) -> np.ndarray:
        """Take the next samples, float32, (n,) or (n, channels), and return what is complete."""
        if self._stream is None:
            return block
        self._n_in += len(block)
        self._shape = block.shape[1:]
        out = self._stream.resample_chunk(block)
        self._n_out += len(out)
        return out

    def finish(self) -> np.ndarray:
        """Return the rest, so that there are `resampled_length` samples in all."""
        if self._stream is None:
            return np.empty((0, *self._shape), np.float32)
        missing = resampled_length(self._n_in, *self._rates) - self._n_out
        tail = self._stream.resample_chunk(np.empty((0, *self._shape), np.float32), last=True)
        tail = tail[:missing]
        silence = np.zeros((missing - len(tail), *self._shape), np.float32)
        return np.concatenate([tail, silence])  # as in `resample`


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
    resampling = Resampling(from_rate, to_rate, channels=channels)
    for block in blocks:
        yield resampling.add(block)
    yield resampling.finish()
