"""How much begins at each moment: the spectral flux of a signal in three registers.

Flux is the mean rise of the mel bands in dB from one frame to the next. A band is also compared
with its neighbours' last values, so that vibrato does not count (Böck & Widmer, DAFx 2013).
"""

from itertools import pairwise

import numpy as np

from audio.mel import hz_to_mel
from db.descriptors.frames import Frames
from db.settings import DescriptorSettings

FLOOR_DB = -25.0  # mel power below this, 60 dB under a full-scale sine, counts as silence
REGISTERS_HZ = (300.0, 3000.0)  # between low, middle and high
TICKS_PER_SECOND = 86.0
LOUDEST = 4.0  # times a register's root mean square; more does not count
QUIETEST_DB = 0.02  # root mean square of a register's flux that counts as nothing happening
LOCAL_S = 4.0  # the novelty is measured against its mean and deviation over this time
LEAST_DEVIATION = 0.25  # of the local deviation, against that of the whole signal


class Flux:
    """The spectral flux of a signal, measured as its frames stream past."""

    def __init__(self) -> None:
        self._blocks: list[np.ndarray] = []
        self._last_bands: np.ndarray | None = None

    def add(self, frames: Frames) -> None:
        """Add the next frames."""
        bands = np.maximum(frames.mel_db, FLOOR_DB)
        last = self._last_bands
        if last is None:
            last = np.full_like(bands[:1], FLOOR_DB)
        before = np.concatenate([last, bands[:-1]])
        loudest = before.copy()
        np.maximum(loudest[:, 1:], before[:, :-1], out=loudest[:, 1:])
        np.maximum(loudest[:, :-1], before[:, 1:], out=loudest[:, :-1])
        rise = np.maximum(bands - loudest, 0)
        edges = register_edges(frames.settings)
        parts = [rise, *(rise[:, first:end] for first, end in pairwise(edges))]
        self._blocks.append(np.stack([part.mean(axis=1) for part in parts], axis=1))
        self._last_bands = bands[-1:].copy()

    def finish(self) -> np.ndarray:
        """Return the flux of all bands and of each register, float32, (frames, 1 + registers)."""
        return np.concatenate(self._blocks)


def register_edges(settings: DescriptorSettings) -> list[int]:
    """Return the first mel band of each register, and the number of bands.

    If there are fewer than three bands, there is one register.
    """
    n = settings.n_mels
    if n < 3:
        return [0, n]
    top = hz_to_mel(settings.sample_rate / 2)
    low, middle = (round(n * hz_to_mel(hz) / top) for hz in REGISTERS_HZ)
    low = min(max(low, 1), n - 2)
    return [0, low, min(max(middle, low + 1), n - 1), n]


def root_mean_square(flux: np.ndarray) -> float:
    """Return the root mean square of a flux without its first frame, which rises from silence."""
    return float(np.sqrt(np.mean(flux[1:].astype(np.float64) ** 2))) if len(flux) > 1 else 0.0


def novelty(registers: np.ndarray, frames: np.ndarray, ticks: np.ndarray) -> np.ndarray:
    """Return the novelty at ticks, in standard deviations around the local mean.

    Parameters
    ----------
    registers : ndarray, shape (frames, registers)
    frames, ticks : ndarray
        Times of the frames and of the ticks, which are evenly spaced, in samples.
    """
    from scipy.ndimage import uniform_filter1d

    total = np.zeros(len(ticks))
    for register in registers.T.astype(np.float64):
        scale = root_mean_square(register) + QUIETEST_DB
        total += np.interp(ticks, frames, np.minimum(register / scale, LOUDEST))
    width = round(LOCAL_S * TICKS_PER_SECOND)
    mean = uniform_filter1d(total, width, mode="nearest")
    variance = np.maximum(uniform_filter1d(total**2, width, mode="nearest") - mean**2, 0)
    least = LEAST_DEVIATION * np.sqrt(variance.mean()) + 1e-6
    return (total - mean) / np.maximum(np.sqrt(variance), least)
