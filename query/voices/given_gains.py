"""Gains of voices at steps where some of the gains are given."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from query.voices.fit import joint_gains
from query.voices.search import LAST_GAIN_ROUNDS, VoicePath
from query.voices.spectra import UnitSpectra
from query.voices.target import VoiceTarget


def fit_to_given(
    voices: Sequence[VoicePath],
    spectra: UnitSpectra,
    target: VoiceTarget,
    given: Mapping[tuple[int, int], float],
) -> list[VoicePath]:
    """Return voices with the given gains, and the best of the other voices beside them.

    Parameters
    ----------
    given : mapping of (int, int) to float
        The gain of a voice, by its number, at a step.
    """
    steps = np.unique([step for _, step in given]).astype(np.int64)
    if not len(steps):
        return list(voices)
    positions = np.stack([voice.path.positions[steps] for voice in voices], axis=1)
    rows = spectra.played(positions)
    wanted = spectra.smoothed(target.spectra[steps])
    gains = np.stack([voice.gains[steps] for voice in voices], axis=1)
    places = [(steps.searchsorted(step), voice) for voice, step in given]
    known = tuple(np.array(places).T)
    for _ in range(LAST_GAIN_ROUNDS):
        gains[known] = list(given.values())
        gains = joint_gains(rows, wanted, gains, rounds=1)
    gains[known] = list(given.values())
    fitted = []
    for number, voice in enumerate(voices):
        of_voice = voice.gains.copy()
        of_voice[steps] = gains[:, number]
        fitted.append(replace(voice, gains=of_voice))
    return fitted
