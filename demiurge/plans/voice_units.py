"""The units that voices may play, and the search for what each of them plays."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from db.bands import Bands
from db.database import Database
from db.derived import at_transpositions
from demiurge.plans.locate import position_of
from demiurge.sequences import DescriptorSequence
from files.errors import ParameterError, PlanError, install_command
from files.progress import Progress, no_progress
from playback.plan import Step
from playback.spectra import Spectra
from playback.transform import can_transform
from query.apply_filters import filter_units
from query.filters import Filters
from query.index import UnitIndex
from query.names import AUTO
from query.rules import REST
from query.settings import SearchSettings
from query.space import Space
from query.voices.pitch import choose_transpose, copies_of
from query.voices.search import VoicePath, VoiceSearch
from query.voices.spectra import UnitSpectra
from query.voices.target import VoiceTarget


@dataclass(frozen=True)
class VoiceUnits:
    """The units of a database at each transposition; a unit in copy c is at its position there.

    Attributes
    ----------
    database : Database
        With each unit once.
    index : UnitIndex
        Of `db.derived.at_transpositions`.
    spectra : UnitSpectra
    semitones : tuple of int
        The transposition of each copy.
    filters : Filters
    """

    database: Database
    index: UnitIndex
    spectra: UnitSpectra
    semitones: tuple[int, ...]
    filters: Filters

    @property
    def space(self) -> Space:
        return self.index.space

    @property
    def most(self) -> int:
        """How far units may be transposed, in semitones."""
        return max(self.semitones)

    @property
    def recorded(self) -> dict[str, Any]:
        """The `units` of the settings of a plan."""
        return {"units": filter_units(self.database, self.filters)[1]}

    def at(self, position: int, transpose: float) -> int:
        """Return the position of a unit of the database in the copy with its transposition.

        Transpositions are rounded: what is beyond a semitone brings units in tune. `REST` for a
        `REST`, and if no copy is so far transposed.
        """
        if position == REST or round(transpose) not in self.semitones:
            return REST
        return position + self.semitones.index(round(transpose)) * len(self.database.units)

    def position_of(self, step: Step) -> int:
        """Return the position of a step's unit at its transposition, or `REST`."""
        return self.at(position_of(step, self.database), step.transpose)

    def search(
        self,
        target: VoiceTarget,
        sequence: DescriptorSequence,
        search: SearchSettings,
        *,
        locked: Sequence[Mapping[int, int]] = (),
        progress: Progress = no_progress,
    ) -> Iterator[list[VoicePath]]:
        """Yield what the voices play, for each of `search.variations`; raises as `VoiceSearch`."""
        voices = VoiceSearch(
            self.index,
            self.spectra,
            target,
            sequence.descriptors,
            search.path,
            step_samples=sequence.step_samples,
            follow=search.voices.follow,
            locked=locked,
            progress=progress,
        )
        for _ in range(search.variations):
            yield voices.run(search.voices.number)


def open_voice_units(
    database: Database,
    bands: Bands,
    semitones: tuple[int, ...],
    search: SearchSettings,
    step_samples: np.ndarray,
    progress: Progress = no_progress,
) -> VoiceUnits:
    """Return the units that settings allow at each transposition (`find_semitones`).

    Raises
    ------
    ParameterError
        As `UnitIndex`.
    """
    shifted = at_transpositions(database, semitones) if len(semitones) > 1 else database
    # units are not searched for by descriptors, so an index with cells would never be used
    index = replace(search, kind="flat").index(shifted, step_samples, progress)
    smooth = search.voices.follow == "timbre"
    spectra = UnitSpectra(bands, semitones, smooth=smooth)
    return VoiceUnits(database, index, spectra, semitones, search.filters)


def find_semitones(search: SearchSettings, bands: Bands, target: VoiceTarget) -> tuple[int, ...]:
    """Return the transpositions to choose from; "auto" is as far as the target's pitches need.

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
    if most == AUTO:
        most = choose_transpose(target.f0, bands.f0(np.arange(len(bands))))
    return copies_of(int(most))


def keep_target(target: VoiceTarget, step_samples: np.ndarray) -> Spectra:
    """Return what a plan keeps of a target, with the length of its steps, int64, (steps,)."""
    return Spectra.of(target.spectra, target.f0, step_samples)


def kept_target(spectra: Spectra, n_bands: int) -> VoiceTarget:
    """Return the target that a plan keeps.

    Raises
    ------
    PlanError
        If it has another number of bands than the database.
    """
    if spectra.n_bands != n_bands:
        raise PlanError(
            f"the plan's spectra have {spectra.n_bands} bands, but those of the database have"
            f" {n_bands}; make the plan again"
        )
    return VoiceTarget(spectra.rows, spectra.f0)
