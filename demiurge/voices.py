"""Mosaics of voices: from a target's spectra to plans.

target ──► spectra and pitches ──► voices (query.voices) ──► plan
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from db.bands import Bands, describe_bands
from db.database import Database
from demiurge.plans.settings import PlanSettings
from demiurge.plans.voice_units import (
    find_semitones,
    keep_target,
    kept_target,
    open_voice_units,
)
from demiurge.plans.voices import make_plan_of_voices
from demiurge.sequences import DescriptorSequence
from files.errors import ParameterError
from files.progress import Progress, no_progress
from playback.plan import Plan
from query.voices.search import VoicePath
from query.voices.target import VoiceTarget, target_of_frames


@dataclass(frozen=True)
class VoiceMosaic:
    """A plan of voices, and the paths that it was made from."""

    plan: Plan
    voices: list[VoicePath]


def describe_target(
    path: str | Path, sequence: DescriptorSequence, database: Database
) -> VoiceTarget:
    """Measure the spectra and the pitches of a target's steps.

    Raises
    ------
    AudioError
        If it cannot be read.
    ParameterError
        If it is a forecast, which has no spectra.
    """
    if Path(path).suffix.lower() == ".json":
        raise ParameterError(
            f"{path}: a forecast has no spectra for voices to be fitted to; give an audio file, or"
            " leave --voices, --transpose and --follow out"
        )
    settings = database.settings
    spectra, f0 = describe_bands(path, settings)
    return target_of_frames(spectra, f0, sequence.step_samples, settings.hop_length)


def voice_mosaics(
    database: Database,
    target: VoiceTarget,
    sequence: DescriptorSequence,
    settings: PlanSettings,
    *,
    progress: Progress = no_progress,
) -> Iterator[VoiceMosaic]:
    """Yield as many plans of voices for a target as the settings ask for.

    The target is rounded to what plans keep of it, so that the same can be found again.

    Raises
    ------
    ParameterError
        If python-stretch is needed and missing, or as `VoiceSearch`.
    AudioError
        If a source cannot be read, whose spectra are not known yet.
    DatabaseError
        If a source is missing or has changed.
    """
    search = settings.search
    bands = Bands(database, progress=progress)
    target = kept_target(keep_target(target, sequence.step_samples), len(bands.centres))
    semitones = find_semitones(search, bands, target)
    units = open_voice_units(database, bands, semitones, search, sequence.step_samples, progress)
    found = units.search(target, sequence, search, progress=progress)
    settings = replace(settings, **units.recorded)
    for number, voices in enumerate(found, start=1):
        of_variation = replace(settings, search=replace(search, variations=number))
        plan = make_plan_of_voices(voices, units, target, sequence.descriptors, of_variation)
        yield VoiceMosaic(plan, voices)
