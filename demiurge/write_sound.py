"""Write the whole of a sound that a model made, lowered where it is beyond full scale."""

from pathlib import Path

import numpy as np

from audio.write import AudioWriter
from files.atomic import replacing


def write_sound(out: Path, samples: np.ndarray, sample_rate: int) -> float:
    """Write float32 samples (n, channels), and return the factor by which they were lowered.

    Raises
    ------
    ParameterError
        If the file cannot be written.
    PlanError
        If a sample is not finite.
    """
    n_samples, channels = samples.shape
    gain = 1 / max(float(np.abs(samples).max()), 1.0)
    with (
        replacing(out) as temporary,
        AudioWriter(temporary, sample_rate, channels, n_samples=n_samples, shown=out) as writer,
    ):
        writer.write(np.ascontiguousarray(samples * np.float32(gain)))
    return gain
