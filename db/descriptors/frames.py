"""Frames of a signal: the windows, spectra and mel bands that descriptors are measured on.

librosa centres the window of frame t on sample t·hop. A unit is played from t·hop to (t+1)·hop, so
with `window_centre="span"` its window is centred on the middle of that span:

    samples   |....hop....|....hop....|....hop....|
    unit 1                |===========|
    span               |========n_fft======|
    start        |========n_fft======|

Blocks of `BLOCK_FRAMES` frames are counted from the signal's start, however the signal was read, so
that the result does not depend on it. Nothing here uses BLAS, whose sums depend on the number of
threads.
"""

from collections.abc import Iterable, Iterator
from functools import cached_property, lru_cache

import numpy as np
from scipy.fft import rfft
from scipy.sparse import csr_array

from audio.mel import mel_filterbank
from db.settings import DescriptorSettings

# frames described at a time: enough that threads seldom wait for Python's lock
BLOCK_FRAMES = 256
CACHED_FRAMES = 64  # frames per FFT: their windowed samples and spectra fit in the cache
AMIN = 1e-10  # floor of the power, -100 dB


class Frames:
    """Up to `BLOCK_FRAMES` successive frames.

    Spectra and bands are computed once, when first needed.

    Attributes
    ----------
    settings : DescriptorSettings
    samples : ndarray, float32, shape (frames, n_fft)
        Not windowed; padded with silence before the signal's start and after its end.
    """

    def __init__(self, signal: np.ndarray, settings: DescriptorSettings) -> None:
        self.settings = settings
        n_frames = (len(signal) - settings.n_fft) // settings.hop_length + 1
        strides = (settings.hop_length * signal.itemsize, signal.itemsize)
        self.samples = np.lib.stride_tricks.as_strided(
            signal, (n_frames, settings.n_fft), strides, writeable=False
        )

    def __len__(self) -> int:
        return len(self.samples)

    @cached_property
    def power(self) -> np.ndarray:
        """|FFT|² of the Hann-windowed frames, float32, shape (frames, 1 + n_fft // 2)."""
        window = hann(self.settings.n_fft)
        power = np.empty((len(self), 1 + self.settings.n_fft // 2), np.float32)
        for start in range(0, len(self), CACHED_FRAMES):
            part = slice(start, start + CACHED_FRAMES)
            squares = rfft(self.samples[part] * window, axis=1, overwrite_x=True).view(np.float32)
            np.square(squares, out=squares)
            np.add(squares[:, ::2], squares[:, 1::2], out=power[part])
        return power

    @cached_property
    def magnitude(self) -> np.ndarray:
        """|FFT|, shape as `power`."""
        return np.sqrt(self.power)

    @cached_property
    def frequencies(self) -> np.ndarray:
        """Hz of each bin, float32, shape (1 + n_fft // 2,)."""
        bins = np.fft.rfftfreq(self.settings.n_fft, 1 / self.settings.sample_rate)
        return bins.astype(np.float32)

    @cached_property
    def mel_power(self) -> np.ndarray:
        """Power in mel bands, at least `AMIN`, float32, shape (frames, n_mels)."""
        settings = self.settings
        filters = _mel_filters(settings.sample_rate, settings.n_fft, settings.n_mels)
        bands = filters @ np.ascontiguousarray(self.power.T)
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
    centred = settings.window_centre == "span"
    first = (hop // 2 if centred else 0) - settings.n_fft // 2  # first sample of frame 0
    whole = _samples_of(BLOCK_FRAMES, settings)
    step = BLOCK_FRAMES * hop
    buffer = np.zeros(max(-first, 0), np.float32)  # silence before the signal
    skip = max(first, 0)  # samples before the first frame
    n_samples = 0
    done = 0
    for block in blocks:
        n_samples += len(block)
        skipped = min(skip, len(block))
        skip -= skipped
        buffer = np.concatenate([buffer, block[skipped:]])
        while len(buffer) >= max(whole, step):
            yield Frames(buffer[:whole], settings)
            buffer = buffer[step:]
            done += BLOCK_FRAMES
    n_frames = -(-n_samples // hop) if centred else 1 + n_samples // hop
    yield from _last_frames(buffer, n_frames - done, settings)


def _last_frames(
    buffer: np.ndarray, n_frames: int, settings: DescriptorSettings
) -> Iterator[Frames]:
    """Cut the rest of the signal, padded with silence, into frames."""
    while n_frames > 0:
        n = min(n_frames, BLOCK_FRAMES)
        length = _samples_of(n, settings)
        inside = buffer[:length]
        yield Frames(np.pad(inside, (0, length - len(inside))), settings)
        buffer = buffer[n * settings.hop_length :]
        n_frames -= n


def _samples_of(n_frames: int, settings: DescriptorSettings) -> int:
    """Return the number of samples that `n_frames` frames cover."""
    return (n_frames - 1) * settings.hop_length + settings.n_fft


@lru_cache(maxsize=4)
def hann(n_fft: int) -> np.ndarray:
    """Return the periodic Hann window, float32, shape (n_fft,)."""
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_fft) / n_fft)).astype(np.float32)


@lru_cache(maxsize=4)
def _mel_filters(sample_rate: int, n_fft: int, n_mels: int) -> csr_array:
    """Return the filterbank as a sparse matrix: only 2 of 128 filters pass each frequency."""
    filters = mel_filterbank(sample_rate, n_fft, n_mels, triangle_dtype=np.float64)
    return csr_array(filters)
