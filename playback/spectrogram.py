"""Measure the spectrogram of an audio file, with one column for each pixel of a picture."""

import math

import numpy as np
import soundfile as sf
from scipy import fft

WINDOW_S = 0.046  # window of the spectra; shorter for audio of less than a second
WINDOWS = 4  # most windows that are averaged into a column


def measure_spectrogram(file: sf.SoundFile, n_columns: int, bands: np.ndarray) -> np.ndarray:
    """Return the mean power of the channels between successive `bands` (Hz).

    The result has shape (len(bands) - 1, n_columns). Windows are spaced evenly, with as many in a
    column as leave no gaps, but at most `WINDOWS`.
    """
    usual = 1 << round(math.log2(WINDOW_S * file.samplerate))
    length = max(min(usual, file.frames // 16), 64)
    per_column = min(math.ceil(2 * file.frames / n_columns / length), WINDOWS)
    n_windows = n_columns * per_column
    starts = (np.arange(n_windows) + 0.5) * file.frames / n_windows - length / 2
    n_fft = 4 * fft.next_fast_len(
        length
    )  # finer than the window resolves, to make low bands smooth
    frequencies = fft.rfftfreq(n_fft, 1 / file.samplerate)
    window = np.hanning(length).astype(np.float32)
    columns = []
    for group in starts.astype(int).reshape(n_columns, per_column):
        samples = np.stack([_read(file, start, length) for start in group])
        spectra = fft.rfft(samples * window, n_fft)
        powers = spectra.real**2 + spectra.imag**2
        power = powers.mean(axis=(0, 1), dtype=np.float64)
        below = np.interp(bands, frequencies, np.cumsum(power))  # in all lower bands together
        columns.append(np.diff(below) / np.diff(bands))
    return np.stack(columns, axis=1)


def _read(file: sf.SoundFile, start: int, n_samples: int) -> np.ndarray:
    """Return samples, float32, shape (channels, n_samples).

    They are 0 before the beginning and after the end of the file.
    """
    first = max(start, 0)
    last = min(start + n_samples, file.frames)
    file.seek(first)
    samples = file.read(last - first, dtype="float32", always_2d=True)
    before = first - start
    after = n_samples - len(samples) - before
    return np.pad(samples.T, ((0, 0), (before, after)))
