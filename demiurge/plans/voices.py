"""Make a plan of the paths of several voices."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from audio.decibels import to_decibels
from demiurge.plans.make import ALTERNATIVES, TRANSPOSE_DECIMALS, assemble, make_steps
from demiurge.plans.placing import run_starts
from demiurge.plans.ramps import glide
from demiurge.plans.settings import PlanSettings
from demiurge.plans.stretching import stretched
from demiurge.plans.voice_units import VoiceUnits, keep_target
from files.errors import ParameterError
from playback.plan import Plan
from playback.steps import Step
from query.explain import explain
from query.index import Matches
from query.names import AUTO
from query.path import UnitPath
from query.rules import REST
from query.voices.pitch import tune
from query.voices.search import VoicePath
from query.voices.target import VoiceTarget

LEAST_DB = -100.0


def make_plan_of_voices(
    voices: Sequence[VoicePath],
    units: VoiceUnits,
    target: VoiceTarget,
    sequence: np.ndarray,
    settings: PlanSettings,
) -> Plan:
    """Return a plan in which each voice plays its path, at its gains, in tune with the target.

    It keeps the target, so that units can be chosen again.

    Parameters
    ----------
    sequence : ndarray, float32, shape (steps, n_descriptors), raw

    Raises
    ------
    ParameterError
        If the target is silent throughout.
    DatabaseError
        If a source is missing or has changed.
    """
    steps: list[Step] = []
    stretch = settings.search.stretch == AUTO
    for number, voice in enumerate(voices):
        steps += steps_of_voice(voice, number, units, target, stretch=stretch)
    if not steps:
        raise ParameterError("the target is silent throughout, so nothing would be played")
    lengths = voices[0].path.n_samples
    plan = assemble(steps, int(lengths.sum()), units.space.database, sequence, settings)
    return replace(plan, spectra=keep_target(target, lengths))


def steps_of_voice(
    voice: VoicePath,
    number: int,
    units: VoiceUnits,
    target: VoiceTarget,
    *,
    stretch: bool,
) -> list[Step]:
    """Return the steps of one voice; parameters as `make_plan_of_voices`."""
    path = _with_few_matches(voice.path)
    gain_db = np.maximum([to_decibels(gain) for gain in voice.gains.tolist()], LEAST_DB)
    space = units.space
    made = make_steps(path, explain(space, path), space.database, gain_db=gain_db)
    played = np.flatnonzero(path.positions != REST)
    off = _out_of_tune(path, played, units, target)
    steps = [
        replace(step, voice=number, transpose=step.transpose + shift)
        for step, shift in zip(made, off.tolist(), strict=True)
    ]
    if stretch:
        steps = list(stretched(steps, units.space.database))
    return list(glide(steps))


def _with_few_matches(path: UnitPath) -> UnitPath:
    """Leave out the matches that no plan keeps."""
    few = slice(0, 2 * ALTERNATIVES)
    matches = Matches(path.matches.positions[:, few], path.matches.distances[:, few])
    return replace(path, matches=matches)


def _out_of_tune(
    path: UnitPath, played: np.ndarray, units: VoiceUnits, target: VoiceTarget
) -> np.ndarray:
    """Return by how much steps must be transposed to be in tune, float64; 0 where it may not be."""
    positions = path.positions[played]
    if not len(played) or not units.most:
        return np.zeros(len(played))
    gaps = np.flatnonzero(np.diff(played) > 1) + 1
    starts = np.union1d(run_starts(positions, units.space.database.units), gaps)
    off = tune(units.spectra.f0(positions), target.f0[path.steps[played]], starts)
    return off.round(TRANSPOSE_DECIMALS)
