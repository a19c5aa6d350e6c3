"""What voices are fitted to: the spectra and the pitches of a target's steps."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

SILENT = 0.1  # sum of the bands of a frame at -80 dBFS
STEADY = 0.3  # share of a spectrum that is new at each step, in sound without onsets
STRUCK = 0.6  # at a clear onset


@dataclass(frozen=True)
class VoiceTarget:
    """The steps of a target.

    Attributes
    ----------
    spectra : ndarray, float32, shape (steps, n_bands)
    f0 : ndarray, float32, shape (steps,)
        Hz; 0 where there is no pitch.
    """

    spectra: np.ndarray
    f0: np.ndarray

    def __len__(self) -> int:
        return len(self.spectra)

    @cached_property
    def silent(self) -> np.ndarray:
        """True for steps in which nothing can be heard, bool, (steps,)."""
        return self.spectra.sum(axis=1) < SILENT

    @cached_property
    def onsets(self) -> np.ndarray:
        """How clearly a sound begins at each step, 0 to 1, float64, (steps,).

        It is the share of a step's spectrum that was not there at the step before, as far as that
        is more than in steady sound.
        """
        rise = np.maximum(np.diff(self.spectra, axis=0, prepend=0), 0)
        total = self.spectra.sum(axis=1, dtype=np.float64) + SILENT
        new = rise.sum(axis=1, dtype=np.float64) / total
        return np.clip((new - STEADY) / (STRUCK - STEADY), 0, 1)


def target_of_frames(
    spectra: np.ndarray, f0: np.ndarray, step_samples: np.ndarray, hop_length: int
) -> VoiceTarget:
    """Return the target of steps of given lengths, each the mean of the frames that begin in it.

    Parameters
    ----------
    spectra, f0 : ndarray, shapes (frames, n_bands) and (frames,)
    step_samples : ndarray, int64, shape (steps,)
    """
    begins = np.cumsum(step_samples) - step_samples
    first = np.minimum(-(-begins // hop_length), len(spectra) - 1)
    last = np.maximum(np.append(first[1:], len(spectra)), first + 1)
    if (last - first == 1).all():
        return VoiceTarget(spectra[first], f0[first])
    means = np.stack([spectra[a:b].mean(axis=0) for a, b in zip(first, last, strict=True)])
    pitches = np.array([_pitch_of(f0[a:b]) for a, b in zip(first, last, strict=True)], np.float32)
    return VoiceTarget(means, pitches)


def _pitch_of(f0: np.ndarray) -> float:
    """Return the median pitch of frames, 0 if fewer than half have one."""
    has_pitch = f0[f0 > 0]
    return float(np.median(has_pitch)) if 2 * len(has_pitch) >= len(f0) else 0.0
