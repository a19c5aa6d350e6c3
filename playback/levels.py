"""Measure the peak of a render, and find the gain that it needs."""

import math

import numpy as np

from audio.pcm import PCM_24_SCALE
from playback.options import OutputOptions

SAFE_PEAK_DB = -0.1  # dBFS; a render over full scale is lowered to this peak
CEILING_DB = -1.0  # dBTP; highest true peak of a render of a given loudness (EBU R 128)


class PeakMeter:
    """The sample peak of a stream, relative to the range of 24-bit PCM.

    That range is asymmetric: 1 - 2⁻²³ upwards and -1 downwards.
    """

    def __init__(self) -> None:
        self.peak = 0.0

    def add(self, block: np.ndarray) -> None:
        """Add the next samples."""
        upwards = float(block.max()) / (1 - 1 / PCM_24_SCALE)
        self.peak = max(self.peak, upwards, -float(block.min()))


def find_gain_db(
    output: OutputOptions, lufs: float | None, true_peak_db: float | None, peak_db: float
) -> float:
    """Return the gain that brings a render to its loudness, or as near as its peaks allow.

    Without a measured loudness, it brings a peak over full scale to just below it. Silence gets no
    gain.
    """
    if math.isinf(peak_db):
        return 0.0
    if lufs is None or true_peak_db is None:
        return SAFE_PEAK_DB - peak_db if peak_db > 0 else 0.0
    ceiling_db = CEILING_DB if output.true_peak_db is None else output.true_peak_db
    wanted = 0.0 if output.lufs is None or math.isinf(lufs) else output.lufs - lufs
    return min(wanted, ceiling_db - true_peak_db, -peak_db)
