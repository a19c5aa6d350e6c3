"""Shape, level and pitch of the spectrum: centroid, flatness, rolloff, rms, f0.

centroid   Hz, mean frequency weighted by magnitude                          librosa.feature.spectral_centroid
flatness   0 to 1, geometric over arithmetic mean of the power               librosa.feature.spectral_flatness
rolloff    Hz, below it lies 85 % of the magnitude                           librosa.feature.spectral_rolloff
rms        0 to 1, root mean square of the frame, without a window           librosa.feature.rms
f0         Hz, fundamental frequency by YIN; 0 where there is no pitch       de Cheveigné & Kawahara (JASA 2002)
"""

from __future__ import annotations

import numpy as np
from scipy.fft import irfft, rfft

from db.descriptors.descriptor import Descriptor
from db.descriptors.frames import AMIN, Frames

ROLLOFF = 0.85
MAX_F0 = 2000.0  # Hz
# a dip of YIN's normalised difference below this is a period; none below twice it: no pitch
APERIODICITY = 0.15
SILENCE = 1e-4  # rms below which pitch is not looked for, -80 dB


def _measure(frames: Frames) -> np.ndarray:
    magnitude = frames.magnitude
    total = np.maximum(frames.magnitude.sum(axis=1), np.finfo(np.float32).tiny)
    centroid = np.einsum("fb,b->f", magnitude, frames.frequencies) / total
    power = np.maximum(frames.power, AMIN)
    flatness = np.exp(np.log(power).mean(axis=1)) / power.mean(axis=1)
    cumulated = np.cumsum(magnitude, axis=1)
    rolloff = frames.frequencies[(cumulated >= ROLLOFF * cumulated[:, -1:]).argmax(axis=1)]
    rms = np.sqrt(np.einsum("fs,fs->f", frames.samples, frames.samples) / frames.settings.n_fft)
    return np.stack(
        [centroid, flatness, rolloff, rms, _f0(frames.samples, rms, frames.settings.sample_rate)],
        axis=1,
    )


def _f0(samples: np.ndarray, rms: np.ndarray, sample_rate: int) -> np.ndarray:
    """Fundamental frequency of each frame, shape (frames, n_fft) -> (frames,).

    The difference function d(τ) = Σ (x[j] - x[j+τ])² over the first half of the frame (eq. 6),
    divided by its running mean (eq. 8); the first dip below the threshold, refined by a parabola.
    Pitches from sample_rate / (n_fft / 2) up.
    """
    n = samples.shape[1]
    half = n // 2
    pitch = np.zeros(len(samples), np.float32)
    sounding = np.flatnonzero(rms > SILENCE)
    shortest = int(sample_rate / MAX_F0)
    if not len(sounding) or half < shortest + 3:
        return pitch
    frames = samples[sounding]
    spectrum = np.conj(rfft(frames[:, :half], n, axis=1))
    spectrum *= rfft(frames, axis=1)
    products = irfft(spectrum, n, axis=1, overwrite_x=True)[:, :half]  # Σ x[j] x[j+τ]
    squares = np.square(frames, dtype=np.float64)
    energies = np.cumsum(
        squares[:, half : 2 * half] - squares[:, :half], axis=1
    )  # what Σ x[j+τ]² gains on Σ x[j]²
    energies = np.concatenate([np.zeros((len(frames), 1)), energies[:, :-1]], axis=1)
    difference = energies + 2 * squares[:, :half].sum(axis=1, keepdims=True)
    difference -= 2 * products
    np.maximum(difference, 0, out=difference)
    mean = np.cumsum(difference[:, 1:], axis=1)
    mean /= np.arange(1, half)
    normalised = np.ones_like(difference)
    np.divide(difference[:, 1:], mean, out=normalised[:, 1:], where=mean > 0)
    inside = normalised[:, 1:-1]
    dips = (inside <= normalised[:, :-2]) & (inside < normalised[:, 2:])
    dips[:, : shortest - 1] = False
    found = dips & (inside < APERIODICITY)
    fallback = np.where(dips & (inside < 2 * APERIODICITY), inside, np.inf)
    lag = np.where(found.any(axis=1), found.argmax(axis=1), fallback.argmin(axis=1)) + 1
    voiced = found.any(axis=1) | np.isfinite(fallback.min(axis=1))
    rows = np.arange(len(lag))
    before, here, after = (normalised[rows, lag + i] for i in (-1, 0, 1))
    curvature = before - 2 * here + after
    shift = np.divide(before - after, 2 * curvature, out=np.zeros_like(here), where=curvature > 0)
    pitch[sounding] = np.where(voiced, sample_rate / (lag + shift), 0)
    return pitch


DESCRIPTOR = Descriptor(
    columns=lambda settings: ("centroid", "flatness", "rolloff", "rms", "f0"),
    measure=_measure,
    zero_is_absent=frozenset({"f0"}),
)
