"""Recognise loops: sounds that begin on a beat and last a whole number of beats."""

import numpy as np

from db.beat_path import FASTEST, SLOWEST
from db.novelty import TICKS_PER_SECOND
from db.pulse import likeness

LOOP_BEATS = (4, 8, 16)
LEAST_LIKENESS = 0.6  # mean of the beats, with one another
LEAST_NOVELTY = 0.35  # mean at the beats, in standard deviations
START_NOVELTY = 0.5  # standard deviations, at the start of a loop
WHOLE_S = 0.03  # how far a loop's length may be from a whole number of beats


def is_loop(new: np.ndarray, beat: float) -> bool:
    """Return whether a sound begins at an attack and lasts an even number of beats.

    Parameters
    ----------
    new : ndarray, shape (ticks,)
        The novelty.
    beat : float
        Seconds.
    """
    seconds = len(new) / TICKS_PER_SECOND
    n = round(seconds / beat / 2) * 2
    return bool(new[0] >= START_NOVELTY and abs(seconds - n * beat) <= WHOLE_S)


def loop_beats(new: np.ndarray, seconds: float) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the beats of a short loop in seconds, and the pulse after each; None if it is none.

    A tracker that goes by what is repeated needs several bars. In less than that, a beat is only
    found if it divides the whole.

    Parameters
    ----------
    new : ndarray, shape (ticks,)
        The novelty.
    """
    found = []
    for n in LOOP_BEATS:
        if not 60 / FASTEST <= seconds / n <= 60 / SLOWEST:
            continue
        beats = np.linspace(0, seconds, n + 1)
        alike = float(likeness(beats, new).mean())
        at_beats = np.interp(beats[:-1] * TICKS_PER_SECOND, np.arange(len(new)), new)
        if alike >= LEAST_LIKENESS and at_beats.mean() >= LEAST_NOVELTY:
            found.append((alike, beats))
    if not found:
        return None
    alike, beats = max(found, key=lambda one: one[0])
    return beats, np.append(np.full(len(beats) - 1, min(alike, 1.0)), 0.0)
