"""Measures of codecs: bits in a second, and by the number of codebooks mel distance and use."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from audio.resample import resample
from synth.codec import Codec
from synth.mel import MelSettings, log_mel


def numbers_of_codebooks(most: int) -> list[int]:
    """Return the numbers of codebooks that are measured: 1, 2, 4, … and `most`."""
    powers = [1 << exponent for exponent in range(most.bit_length())]
    return sorted({*powers, most} - {0}) if most else []


def bits_per_second(n_codebooks: int, codebook_size: int, frame_rate: float) -> float:
    """Return the bits that so many codebooks take in a second."""
    return n_codebooks * math.log2(codebook_size) * frame_rate


def perplexities(codes: np.ndarray, codebook_size: int) -> list[float]:
    """Return how many entries of each codebook are in use: e to the power of the entropy.

    Parameters
    ----------
    codes : ndarray of int, shape (frames, n_codebooks)

    Returns
    -------
    list of float
        Each from 1, if one entry is always chosen, to `codebook_size`, if all are equally often.
    """
    found = []
    for own in codes.T:
        counts = np.bincount(own, minlength=codebook_size)
        shares = counts[counts > 0] / len(own)
        found.append(float(np.exp(-(shares * np.log(shares)).sum())))
    return found


@dataclass(frozen=True)
class CodecMeasures:
    """Measures of a codec on some recordings.

    Attributes
    ----------
    mel_l1 : dict of float
        Mean distance of log-mels, in nepers, by number of codebooks; by 0, that of latents that are
        not quantised.
    perplexities : list of float
        Entries in use, of each codebook.
    """

    mel_l1: dict[int, float]
    perplexities: list[float]


def measure_codec(
    codec: Codec,
    recordings: Iterable[np.ndarray],
    settings: MelSettings,
    *,
    numbers: Sequence[int] | None = None,
) -> CodecMeasures:
    """Pass recordings through a codec, and compare log-mels of what went in and came out.

    Parameters
    ----------
    recordings : iterable of ndarray, float32, shape (n_samples,)
        Mono, at the codec's sample rate.
    settings : MelSettings
        Of the comparison; both sides are resampled to its sample rate.
    numbers : sequence of int, optional
        Of codebooks; by default 0, 1, 2, 4, … and all.
    """
    if numbers is None:
        numbers = [0, *numbers_of_codebooks(codec.n_codebooks)]
    sums = dict.fromkeys(numbers, 0.0)
    n_frames = 0
    codes = []

    def mel_of(audio: np.ndarray) -> np.ndarray:
        return log_mel(resample(audio, codec.sample_rate, settings.sample_rate), settings)

    for audio in recordings:
        real = mel_of(audio)
        n_frames += real.shape[1]
        latents = codec.latents(audio)
        if codec.n_codebooks:
            codes.append(codec.quantise(latents))
        for number in numbers:
            frames = codes[-1][:, :number] if number else latents
            made = mel_of(codec.decode(frames, n_samples=len(audio)).mean(0))
            sums[number] += float(np.abs(made - real).mean(0).sum()) * settings.nepers
    used = perplexities(np.concatenate(codes), codec.codebook_size) if codes else []
    return CodecMeasures({number: total / n_frames for number, total in sums.items()}, used)
