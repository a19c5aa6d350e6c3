"""Pitch in the choice of units: how far they must be transposed, and what a wrong pitch costs."""

import numpy as np

from db.derived_rows import SEMITONES
from query.names import MOST_TRANSPOSE

COVERED = 95.0  # percentile of the target's steps whose pitch shall be reached
LEAST_SHARE = 0.1  # of the target's steps that must have a pitch to say how far to transpose
WITHOUT_PITCH = 2  # semitones either way, if they do not
LEAST_STEPS = 3  # of a pitch in the corpus: less may be an error
OUT_OF_TUNE = 0.08  # relative divergence that a semitone counts for
# factors on the divergence of spectra and on what a wrong pitch costs, by `VoiceOptions.follow`
WEIGHTS = {"both": (1.0, 1.0), "pitch": (0.25, 4.0), "timbre": (1.0, 0.0)}
MOST_OFF = 0.49  # semitones: so that a transposition, rounded, is the one that was searched at
MOST_SEMITONES = 3.0  # that are counted: further away all pitches are as wrong


def choose_transpose(target_f0: np.ndarray, unit_f0: np.ndarray) -> int:
    """Return how far units must be transposed to reach a target's pitches, in semitones.

    Parameters
    ----------
    target_f0, unit_f0 : ndarray, shapes (steps,) and (n_units,)
        Hz; 0 where there is no pitch.
    """
    wanted = semitones_of(target_f0[target_f0 > 0])
    units = np.round(semitones_of(unit_f0[unit_f0 > 0])).astype(int)
    known, counts = np.unique(units, return_counts=True)
    known = known[counts >= LEAST_STEPS]
    if len(wanted) < LEAST_SHARE * len(target_f0) or not len(known):
        return WITHOUT_PITCH
    away = np.abs(np.round(wanted)[:, None] - known).min(axis=1)
    return int(np.clip(np.ceil(np.percentile(away, COVERED)), 1, MOST_TRANSPOSE))


def copies_of(most: int) -> tuple[int, ...]:
    """Return the transpositions up to so many semitones either way, 0 first."""
    return (0, *(sign * shift for shift in range(1, most + 1) for sign in (1, -1)))


def semitones_of(f0: np.ndarray) -> np.ndarray:
    """Return pitches in semitones above 1 Hz; f0 in Hz, above 0."""
    return SEMITONES * np.log2(f0.astype(np.float64))


def pitch_costs(unit_f0: np.ndarray, target_f0: np.ndarray) -> np.ndarray:
    """Return what units cost for a pitch other than the target's, float32, (steps, n).

    Parameters
    ----------
    unit_f0 : ndarray, shape (steps, n)
        Hz, as they are played; 0 where there is no pitch, which costs nothing.
    target_f0 : ndarray, shape (steps,)
    """
    both = (unit_f0 > 0) & (target_f0 > 0)[:, None]
    ratio = np.where(both, unit_f0, 1.0) / np.where(both, target_f0[:, None], 1.0)
    away = np.minimum(np.abs(SEMITONES * np.log2(ratio)), MOST_SEMITONES)
    return (OUT_OF_TUNE * away).astype(np.float32)


def tune(unit_f0: np.ndarray, target_f0: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Return by how much each run is to be transposed beyond its semitones, to be in tune.

    Parameters
    ----------
    unit_f0, target_f0 : ndarray, shape (n,)
        Hz of the units of a path, as they are played, and of its steps; 0 where there is none.
    starts : ndarray, int64
        Where each run starts.

    Returns
    -------
    ndarray, float64, shape (n,)
        `MOST_OFF` at most; 0 for runs without a pitch, or with another one.
    """
    away = np.full(len(unit_f0), np.nan)
    both = (unit_f0 > 0) & (target_f0 > 0)
    away[both] = SEMITONES * np.log2(target_f0[both] / unit_f0[both])
    off = np.zeros(len(unit_f0))
    for first, stop in zip(starts, [*starts[1:], len(unit_f0)], strict=True):
        known = away[first:stop][~np.isnan(away[first:stop])]
        if len(known) and abs(middle := float(np.median(known))) <= MOST_OFF:
            off[first:stop] = middle
    return off
