"""Pulse and tempo, from the autocorrelation of the onset strength."""

import numpy as np

from audio.onsets import FRAME_RATE, onset_strength

PULSE_BPM = (50, 200)
TEMPO_BPM = (40, 240)  # compared with the seed: some lags on either side of those of a pulse
FRAMES_PER_MINUTE = 60 * FRAME_RATE


def tempo_lags() -> np.ndarray:
    """Return the lags of 240 to 40 bpm in frames, int, ascending."""
    shortest = int(np.ceil(FRAMES_PER_MINUTE / TEMPO_BPM[1]))
    longest = int(FRAMES_PER_MINUTE / TEMPO_BPM[0])
    return np.arange(shortest, longest + 1)


def autocorrelation(strength: np.ndarray) -> np.ndarray:
    """Return the normalised autocorrelation of an onset strength at the lags of 240 to 40 bpm.

    Each lag has the correlation of the part that begins at that lag with an equally long part from
    the start, both with the mean of the whole taken off: 1 for a strength that repeats exactly,
    however long it is.

    Returns
    -------
    ndarray, float64, shape (n_lags,), each -1 to 1
        At `tempo_lags`. 0 where the strength has no variance or is too short for the lag.
    """
    deviation = strength - strength.mean()
    lags = tempo_lags()
    result = np.zeros(len(lags))
    for place, lag in enumerate(lags[lags < len(strength)]):
        early = deviation[:-lag]
        late = deviation[lag:]
        scale = np.sqrt((early**2).sum() * (late**2).sum())
        if scale > 1e-9 * len(early):
            result[place] = (early * late).sum() / scale
    return result


def highest_peak(correlation: np.ndarray) -> float:
    """Return the highest peak of an `autocorrelation` between 50 and 200 bpm, 0 to 1.

    The correlation of close lags of a slowly changing sound is high, but has no peak.
    """
    bpm = FRAMES_PER_MINUTE / tempo_lags()
    is_peak = (bpm >= PULSE_BPM[0] - 1) & (bpm <= PULSE_BPM[1] + 1)
    is_peak[1:] &= correlation[1:] >= correlation[:-1]
    is_peak[:-1] &= correlation[:-1] >= correlation[1:]
    return float(correlation[is_peak].max(initial=0.0))


def pulse(audio: np.ndarray, sample_rate: int) -> float:
    """Return how steady the beat is, 0 to 1: 1 for attacks that repeat exactly.

    The arguments are `onset_strength`'s.
    """
    return highest_peak(autocorrelation(onset_strength(audio, sample_rate)))


def tempo_agreement(audio: np.ndarray, seed: np.ndarray, sample_rate: int) -> float:
    """Return the correlation of the autocorrelation (lags of 40 to 240 bpm) with the seed's.

    1 for the same tempo and metre, about 0 for unrelated ones; 0 if either has no onsets. The audio
    and the seed are (n_samples,), float32.
    """
    of_audio, of_seed = (autocorrelation(onset_strength(x, sample_rate)) for x in (audio, seed))
    return correlate(of_audio, of_seed)


def correlate(a: np.ndarray, b: np.ndarray) -> float:
    """Return Pearson's correlation of two vectors (n,), 0 if either is constant."""
    a = a - a.mean()
    b = b - b.mean()
    scale = np.sqrt((a**2).sum() * (b**2).sum())
    return float((a * b).sum() / scale) if scale > 1e-12 else 0.0
