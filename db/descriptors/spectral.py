"""Shape, level and pitch of the spectrum: centroid, flatness, rolloff, rms, f0.

centroid   Hz, mean frequency weighted by magnitude             librosa.feature.spectral_centroid
flatness   0 to 1, geometric over arithmetic mean of the power  librosa.feature.spectral_flatness
rolloff    Hz, below it lies 85 % of the magnitude              librosa.feature.spectral_rolloff
rms        0 to 1, root mean square of the frame, no window     librosa.feature.rms
f0         Hz, fundamental frequency; 0 where there is none     YIN, see `db.descriptors.yin`
"""

import numpy as np

from db.descriptors.descriptor import Descriptor
from db.descriptors.frames import AMIN, Frames
from db.descriptors.yin import find_pitch

ROLLOFF = 0.85


def _measure(frames: Frames) -> np.ndarray:
    rms = _rms(frames)
    pitch = find_pitch(frames.samples, rms, frames.settings.sample_rate)
    columns = [_centroid(frames), _flatness(frames), _rolloff(frames), rms, pitch]
    return np.stack(columns, axis=1)


def _centroid(frames: Frames) -> np.ndarray:
    total = np.maximum(frames.magnitude.sum(axis=1), np.finfo(np.float32).tiny)
    return np.einsum("fb,b->f", frames.magnitude, frames.frequencies) / total


def _flatness(frames: Frames) -> np.ndarray:
    power = np.maximum(frames.power, AMIN)
    return np.exp(np.log(power).mean(axis=1)) / power.mean(axis=1)


def _rolloff(frames: Frames) -> np.ndarray:
    cumulated = np.cumsum(frames.magnitude, axis=1)
    return frames.frequencies[(cumulated >= ROLLOFF * cumulated[:, -1:]).argmax(axis=1)]


def _rms(frames: Frames) -> np.ndarray:
    energy = np.einsum("fs,fs->f", frames.samples, frames.samples)
    return np.sqrt(energy / frames.settings.n_fft)


DESCRIPTOR = Descriptor(measure=_measure)
