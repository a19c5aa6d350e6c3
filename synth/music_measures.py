"""Measures of music without a reference: how many notes, how clear a pulse, how many pitches."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from audio.chroma import mean_chroma
from audio.onsets import FRAME_RATE, find_onsets, onset_strength
from training.bootstrap import Estimate, estimate_mean

PULSE_SECONDS = (0.25, 2.0)  # periods that are felt as a pulse


@dataclass(frozen=True)
class MusicMeasures:
    """Means over the clips of a set.

    `onsets` are per second, `pulse_clarity` is 0 to 1, `chroma_entropy` in bits, 0 to 3.58.
    """

    onsets: Estimate
    pulse_clarity: Estimate
    chroma_entropy: Estimate

    def to_dict(self) -> dict[str, Any]:
        return {name: estimate.to_dict() for name, estimate in vars(self).items()}


def measure_music(clips: Sequence[np.ndarray], sample_rate: int) -> MusicMeasures:
    """Measure clips, each (n_samples,), float32."""
    measures = (onsets_per_second, pulse_clarity, chroma_entropy)
    return MusicMeasures(
        *(
            estimate_mean(np.array([measure(clip, sample_rate) for clip in clips]))
            for measure in measures
        )
    )


def onsets_per_second(audio: np.ndarray, sample_rate: int) -> float:
    """Return the number of onsets per second of audio (n_samples,), float32."""
    return len(find_onsets(audio, sample_rate)) * sample_rate / len(audio)


def pulse_clarity(audio: np.ndarray, sample_rate: int) -> float:
    """Return the highest peak of the onset strength's autocorrelation, relative to lag 0.

    Among lags of 0.25 to 2 s: MaxAutocor of Lartillot et al., ISMIR 2008. The mean is taken off,
    and each lag has the mean of its products, so that the length does not matter.

    Returns
    -------
    float, 0 to about 1
        0 without onsets, about 1 for onsets that repeat exactly.
    """
    strength = onset_strength(audio, sample_rate)
    deviation = strength - strength.mean()
    variance = (deviation**2).mean()
    first, last = (round(seconds * FRAME_RATE) for seconds in PULSE_SECONDS)
    lags = np.arange(first - 1, min(last + 2, len(deviation)))
    if variance < 1e-9 or len(lags) < 3:
        return 0.0
    correlation = np.array([(deviation[lag:] * deviation[:-lag]).mean() for lag in lags]) / variance
    middle = correlation[1:-1]
    is_peak = (middle >= correlation[:-2]) & (middle >= correlation[2:])
    return float(middle[is_peak].max(initial=0.0))


def chroma_entropy(audio: np.ndarray, sample_rate: int) -> float:
    """Return the entropy of the mean chroma in bits, at most log2(12) = 3.58; NaN for silence.

    Lower where a clip keeps to few pitch classes. Each frame counts as much as others.
    """
    chroma = mean_chroma(audio, sample_rate)
    total = chroma.sum()
    if total < 1e-9:
        return np.nan
    shares = chroma[chroma > 0] / total
    return float(-(shares * np.log2(shares)).sum())
