"""The costs of units at one step of a voice, and their gains, with the other voices known."""

import numpy as np

from query.voices.candidates import IN_UNISON, Others, with_pitch
from query.voices.fit import fit_one
from query.voices.spectra import UnitSpectra
from query.voices.target import VoiceTarget


def costs_at_step(
    spectra: UnitSpectra, positions: np.ndarray, target: VoiceTarget, others: Others, follow: str
) -> tuple[np.ndarray, np.ndarray]:
    """Return what units would cost, and the gains at which they fit best.

    Parameters
    ----------
    positions : ndarray, int64, shape (n,)
    target : VoiceTarget
        Of one step; smooth if the spectra are.
    others : Others
        What the other voices play at this step.

    Returns
    -------
    costs, gains : ndarray, float32, shape (n,)
    """
    fits, gains = fit_one(spectra.rows(positions)[None], target.spectra, others.spectra)
    costs = with_pitch(fits, spectra.f0(positions)[None], target.f0, follow)[0]
    for played in others.positions:
        costs[positions == played] += IN_UNISON
    return costs, gains[0]
