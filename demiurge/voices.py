"""Mosaics of voices: from a target's spectra to plans.

target ──► spectra and pitches ──► voices (query.voices) ──► plan
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from db.bands import Bands, describe_bands
from db.database import Database
from db.derived import at_transpositions
from demiurge.plans.settings import PlanSettings
from demiurge.plans.voices import make_plan_of_voices
from demiurge.sequences import DescriptorSequence
from files.errors import ParameterError, install_command
from files.progress import Progress, no_progress
from playback.plan import Plan
from playback.transform import can_transform
from query.names import AUTO
from query.settings import SearchSettings
from query.voices.pitch import choose_transpose, copies_of
from query.voices.search import VoicePath, VoiceSearch
from query.voices.spectra import UnitSpectra
from query.voices.target import VoiceTarget, target_of_frames


@dataclass(frozen=True)
class VoiceMosaic:
    """A plan of voices, and the paths that it was made from.

    Attributes
    ----------
    voices : list of VoicePath
    transpose : int
        How far units could be transposed, in semitones.
    """

    plan: Plan
    voices: list[VoicePath]
    transpose: int


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
            " one voice without transposition"
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
    locked: Sequence[Mapping[int, int]] = (),
    progress: Progress = no_progress,
) -> Iterator[VoiceMosaic]:
    """Yield as many plans of voices for a target as the settings ask for.

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
    most = find_transpose(search, bands, target, len(database.units))
    shifts = copies_of(most)
    shifted = at_transpositions(database, shifts) if most else database
    index = search.index(shifted, sequence.step_samples, progress)
    follow = search.voices.follow
    spectra = UnitSpectra(bands, len(database.units), shifts, smooth=follow == "timbre")
    voices = VoiceSearch(
        index,
        spectra,
        target,
        sequence.descriptors,
        search.path,
        step_samples=sequence.step_samples,
        follow=follow,
        locked=locked,
        progress=progress,
    )
    counts = {name: count // len(shifts) for name, count in index.counts.items()}
    settings = replace(settings, units=counts, index=index.kind)
    for number in range(1, search.variations + 1):
        found = voices.run(search.voices.number)
        of_variation = replace(settings, search=replace(search, variations=number))
        plan = make_plan_of_voices(
            found, index.space, spectra, target, sequence.descriptors, of_variation
        )
        yield VoiceMosaic(plan, found, most)


def find_transpose(search: SearchSettings, bands: Bands, target: VoiceTarget, n_units: int) -> int:
    """Return how far units may be transposed; "auto" is as far as the target's pitches need.

    Raises
    ------
    ParameterError
        If units shall be transposed, but python-stretch is not installed.
    """
    most = search.voices.transpose
    if most and not can_transform():
        raise ParameterError(
            f"transpose={most} needs the package python-stretch; {install_command('stretch')}"
        )
    if most != AUTO:
        return int(most)
    return choose_transpose(target.f0, bands.f0(np.arange(n_units)))
