"""From a signal to frames: the windows, spectra and mel bands that descriptors are measured on,
block by block.

Where a window sits: librosa centres frame t on sample t·hop. A unit is played from t·hop to
(t+1)·hop, so with `window_centre="span"` its window is centred on the middle of that span:

    samples   |....hop....|....hop....|....hop....|
    unit 1                |===========|
    span               |========n_fft======|
    start        |========n_fft======|

A block holds `BLOCK_FRAMES` frames counted from the signal's start, however the signal was cut on
its way here, so that the result does not depend on how it was read. Nothing here is left to BLAS:
its sums depend on how many threads it may use.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import numpy as np
from scipy.fft import rfft
from scipy.sparse import csr_array

from audio.mel import mel_filterbank

if TYPE_CHECKING:
    from db.settings import DescriptorSettings

BLOCK_FRAMES = (
    256  # per FFT call: few enough for the cache, enough that threads seldom wait for Python's lock
)
AMIN = 1e-10  # power floor, -100 dB


class Frames:
    """Up to `BLOCK_FRAMES` successive frames.

    What is derived from them is computed once, when first asked for.

    Attributes
    ----------
    settings : DescriptorSettings
    samples : ndarray, float32, shape (frames, n_fft)
        Without the window; silence before the signal's start and after its end.
    """

    def __init__(self, span: np.ndarray, settings: DescriptorSettings) -> None:
        self.settings = settings
        n_frames = (len(span) - settings.n_fft) // settings.hop_length + 1
        strides = (settings.hop_length * span.itemsize, span.itemsize)
        self.samples = np.lib.stride_tricks.as_strided(
            span, (n_frames, settings.n_fft), strides, writeable=False
        )

    def __len__(self) -> int:
        return len(self.samples)

    @cached_property
    def power(self) -> np.ndarray:
        """|FFT|² of the Hann-windowed frames, float32, shape (frames, 1 + n_fft // 2)."""
        spectrum = rfft(self.samples * hann(self.settings.n_fft), axis=1, overwrite_x=True)
        squares = spectrum.view(np.float32)
        np.square(squares, out=squares)
        return squares[:, ::2] + squares[:, 1::2]

    @cached_property
    def magnitude(self) -> np.ndarray:
        """|FFT|, shape as `power`."""
        return np.sqrt(self.power)

    @cached_property
    def frequencies(self) -> np.ndarray:
        """Hz of each bin, float32, shape (1 + n_fft // 2,)."""
        return np.fft.rfftfreq(self.settings.n_fft, 1 / self.settings.sample_rate).astype(
            np.float32
        )

    @cached_property
    def mel_power(self) -> np.ndarray:
        """Power in mel bands, at least `AMIN`, float32, shape (frames, n_mels)."""
        settings = self.settings
        bands = _filters(
            settings.sample_rate, settings.n_fft, settings.n_mels
        ) @ np.ascontiguousarray(self.power.T)
        return np.maximum(bands, AMIN, out=bands).T

    @cached_property
    def mel_db(self) -> np.ndarray:
        """`mel_power` in dB, shape (frames, n_mels)."""
        decibels = np.log10(self.mel_power)
        decibels *= 10.0
        return decibels


def frames_of(blocks: Iterable[np.ndarray], settings: DescriptorSettings) -> Iterator[Frames]:
    """Cut a mono signal, given in blocks of any length, into frames.

    There are `ceil(n_samples / hop)` of them, or librosa's `1 + n_samples // hop` with
    `window_centre="start"`.
    """
    hop = settings.hop_length
    n_fft = settings.n_fft
    centred = settings.window_centre == "span"
    first = (
        hop // 2 if centred else 0
    ) - n_fft // 2  # first sample of frame 0: before the signal, or after its start
    span = (BLOCK_FRAMES - 1) * hop + n_fft
    step = BLOCK_FRAMES * hop
    buffer = np.zeros(max(-first, 0), np.float32)
    skip = max(first, 0)
    n_samples = 0
    done = 0
    for block in blocks:
        n_samples += len(block)
        skipped = min(skip, len(block))
        skip -= skipped
        buffer = np.concatenate([buffer, block[skipped:]])
        while len(buffer) >= max(span, step):
            yield Frames(buffer[:span], settings)
            buffer = buffer[step:]
            done = done + BLOCK_FRAMES
    n_frames = -(-n_samples // hop) if centred else 1 + n_samples // hop
    while done < n_frames:
        n = min(n_frames - done, BLOCK_FRAMES)
        inside = buffer[: (n - 1) * hop + n_fft]
        yield Frames(np.pad(inside, (0, (n - 1) * hop + n_fft - len(inside))), settings)
        buffer = buffer[n * hop :]
        done = done + n


@lru_cache(maxsize=4)
def hann(n_fft: int) -> np.ndarray:
    """Periodic Hann window, float32, shape (n_fft,)."""
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_fft) / n_fft)).astype(np.float32)


@lru_cache(maxsize=4)
def _filters(sample_rate: int, n_fft: int, n_mels: int) -> csr_array:
    """The filterbank without its zeros: 2 of 128 filters are open at each frequency."""
    return csr_array(mel_filterbank(sample_rate, n_fft, n_mels))
