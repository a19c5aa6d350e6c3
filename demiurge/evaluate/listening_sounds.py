"""Make the sounds of one seed comparable: one rate, one length, one loudness.

            ┌──── the seed's end ────┬──── a continuation ────┐
 method 1   │▁▂▃▄▅▄▃▂▁▂▃▄▅▄▃▂▁▂▃▄▅▄▃▂│▃▄▅▄▃▂▁▂▃▄▅▄▃▂▁▂▃▄▅▄▃▂▁│  gain 1  } both files have
 method 2   │▁▂▃▄▅▄▃▂▁▂▃▄▅▄▃▂▁▂▃▄▅▄▃▂│▆▇▆▇▆▇▆▇▆▇▆▇▆▇▆▇▆▇▆▇▆▇▆│  gain 2  } the same loudness

Each file gets one gain. How loud a continuation is beside its seed stays as the method made it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from audio.channels import fit_channels
from audio.decibels import to_amplitude, to_decibels
from audio.loudness import LoudnessMeter, TruePeakMeter
from audio.read import Audio, read_audio
from audio.resample import resample
from files.errors import AudioError

SAMPLE_RATE = 44100  # Hz, for all files of a page
SEED_SECONDS = 6.0  # the most that is heard of a seed, its end
CONTINUATION_SECONDS = 20.0  # the most that is heard of a continuation
MIN_SECONDS = 0.1
LOUDNESS = -20.0  # LUFS
HIGHEST_PEAK = -1.0  # dB true peak
SMOOTHING_MS = 10.0  # after the moment where a continuation begins
FADE_MS = 50.0  # where a sound is cut: in at the beginning of the seed's end, out at the end


@dataclass(frozen=True)
class ComparableSounds:
    """The seed's end and each continuation after it.

    Attributes
    ----------
    samples : list of ndarray, float32, shape (n_samples, channels), channels 1 or 2
        One for each continuation, at `SAMPLE_RATE`, of equal length and loudness.
    seed_samples : int
        Where the continuations begin.
    """

    samples: list[np.ndarray]
    seed_samples: int


def make_comparable(seed: Path, continuations: Sequence[Path]) -> ComparableSounds:
    """Read a seed and its continuations, and make one sound of the seed and each of them.

    All have the fewest channels of any of them, two at most, and the length of the shortest.
    Their loudness is `LOUDNESS`, or less for all of them if the peaks of one need that.

    Raises
    ------
    AudioError
        If a file is missing, unreadable, or shorter than 0.1 s.
    """
    audios = [_read(path) for path in (seed, *continuations)]
    channels = min(2, *(audio.samples.shape[1] for audio in audios))
    before, *after = (_convert(audio, channels) for audio in audios)
    before = _end_of(before)
    length = min(round(CONTINUATION_SECONDS * SAMPLE_RATE), *map(len, after))
    sounds = [_join(before, samples[:length]) for samples in after]
    return ComparableSounds(match_loudness(sounds), len(before))


def match_loudness(sounds: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Scale each sound to `LOUDNESS`, and all of them down alike if one would peak too high.

    A sound without loudness, below -70 LUFS, is only scaled down.
    """
    gains_db = [_gain_to_loudness(samples) for samples in sounds]
    peaks_db = [_true_peak(samples) + gain for samples, gain in zip(sounds, gains_db, strict=True)]
    excess_db = max(0.0, max(peaks_db) - HIGHEST_PEAK)
    return [
        samples * np.float32(to_amplitude(gain - excess_db))
        for samples, gain in zip(sounds, gains_db, strict=True)
    ]


def _read(path: Path) -> Audio:
    audio = read_audio(path)
    seconds = len(audio.samples) / audio.sample_rate
    if seconds < MIN_SECONDS:
        raise AudioError(
            f"{path.name}: {seconds:.3f} s must be at least {MIN_SECONDS} s to be compared; leave"
            " it out, or render it longer"
        )
    return audio


def _convert(audio: Audio, channels: int) -> np.ndarray:
    return resample(fit_channels(audio.samples, channels), audio.sample_rate, SAMPLE_RATE)


def _end_of(seed: np.ndarray) -> np.ndarray:
    """Return the last `SEED_SECONDS`, faded in; a seed that is no longer is left as it is."""
    n_kept = round(SEED_SECONDS * SAMPLE_RATE)
    if len(seed) <= n_kept:
        return seed
    end = seed[-n_kept:].copy()
    n_faded = round(FADE_MS / 1000 * SAMPLE_RATE)
    end[:n_faded] *= _falling(n_faded)[::-1]
    return end


def _join(seed: np.ndarray, continuation: np.ndarray) -> np.ndarray:
    """Put a continuation after the seed, and fade out its end.

    Only the recording itself goes on from the seed's last sample. The click of any other would
    give it away, so the step to its first sample fades within `SMOOTHING_MS`.
    """
    n_smoothed = min(len(continuation), round(SMOOTHING_MS / 1000 * SAMPLE_RATE))
    n_faded = min(len(continuation), round(FADE_MS / 1000 * SAMPLE_RATE))
    joined = np.concatenate([seed, continuation])
    step = seed[-1] - continuation[0]
    joined[len(seed) : len(seed) + n_smoothed] += step * _falling(n_smoothed)
    joined[-n_faded:] *= _falling(n_faded)
    return joined


def _falling(n_samples: int) -> np.ndarray:
    """Return half a cosine, from 1 to 0: float32, shape (n_samples, 1)."""
    phase = np.linspace(0, np.pi, n_samples, dtype=np.float32)
    return (0.5 + 0.5 * np.cos(phase))[:, None]


def _gain_to_loudness(samples: np.ndarray) -> float:
    meter = LoudnessMeter(SAMPLE_RATE, samples.shape[1])
    meter.add(samples)
    loudness = meter.integrated()
    return LOUDNESS - loudness if np.isfinite(loudness) else 0.0


def _true_peak(samples: np.ndarray) -> float:
    meter = TruePeakMeter(samples.shape[1])
    meter.add(samples)
    return to_decibels(meter.peak())
