"""Find how a seed goes on: its world, the steps in time, and a closed loop with the forecaster."""

from dataclasses import dataclass, replace

import numpy as np

from db.database import Database
from db.settings import FOR_CONTINUATIONS
from demiurge.continuation_world import Wanted, count_allowed, find_world
from demiurge.plans.placing import Placement, place_in_turn, place_on_grid, run_starts
from demiurge.sequences import DescriptorSequence
from demiurge.timing import Timing, time_steps
from files.errors import ParameterError, install_command
from files.names import quoted
from files.progress import Progress, no_progress
from playback.transform import can_transform
from query.audible import is_audible_throughout
from query.closed_loop import Scorer, find_continuations
from query.cluster.alike import settle_likeness
from query.names import MOST_TRANSPOSE
from query.path import UnitPath
from query.refine_joins import refine_join
from query.rules import Rules
from query.settings import SearchSettings
from query.space import Space
from sequencer.sampling import SamplingOptions

# players are not exact, and units begin with their onsets: no run is parted for that
TOLERANCE_MS = 60.0


@dataclass(frozen=True)
class Continuation:
    """How a seed goes on.

    Attributes
    ----------
    voices : list of UnitPath
        What sounds at once; usually one path.
    timing : Timing
    space : Space
        Of the database as it is played, with sources transposed.
    counts : dict
        Number of units left after each filter.
    world_seconds : float
        How much of the corpus the units were chosen from.
    world_sources : int
        The number of sources that it lies in.
    """

    voices: list[UnitPath]
    timing: Timing
    space: Space
    counts: dict[str, int]
    world_seconds: float
    world_sources: int

    @property
    def path(self) -> UnitPath:
        """The path of the first voice."""
        return self.voices[0]

    @property
    def database(self) -> Database:
        return self.space.database

    @property
    def missing(self) -> list[str]:
        """What the database lacks for continuations: names of units and descriptors."""
        settings = self.database.settings
        missing = [] if settings.is_metrical else [f"units {FOR_CONTINUATIONS.units}"]
        wanted = FOR_CONTINUATIONS.descriptors
        return missing + [name for name in wanted if name not in settings.descriptors]

    def place(self, path: UnitPath) -> Placement:
        """Return when the units of a voice are played, in the seed's tempo if it has a pulse."""
        positions = path.positions
        units = self.database.units
        if not self.timing.has_pulse:
            shifts = {
                step: refine_join(self.space, int(positions[step - 1]), int(positions[step]))
                for step in run_starts(positions, units)[1:]
            }
            return place_in_turn(positions, units, path.n_samples, shifts)
        first = int(units.n_samples[positions[0]])
        played = self.timing.step_samples[0] / self.timing.whole_first
        return place_on_grid(
            positions,
            units,
            path.n_samples,
            sample_rate=self.database.sample_rate,
            stretch=can_transform(),
            tolerance_ms=TOLERANCE_MS,
            first_offset=max(first - max(round(first * min(played, 1)), 1), 0),
        )


def continue_seed(
    seed: DescriptorSequence,
    database: Database,
    scorer: Scorer,
    *,
    seconds: float,
    sampling: SamplingOptions,
    search: SearchSettings,
    seed_source: int | None = None,
    transpose: int = 0,
    whole_bars: bool = False,
    progress: Progress = no_progress,
) -> list[Continuation]:
    """Return as many variations of how a seed goes on as `search` asks for.

    Parameters
    ----------
    seed_source : int, optional
        The source that the seed is, all of which may be played whatever the filters say.
    transpose : int
        How far other sources may be transposed towards the seed's key, in semitones.
    whole_bars : bool
        As for `demiurge.timing.time_steps`.

    Raises
    ------
    ParameterError
        If the filters or the rules leave nothing to play, `seconds` is out of range, or
        `check_transpose` refuses.
    """
    n_voices = search.voices.number
    check_transpose(transpose, database)
    if n_voices > 1:
        check_has_chroma(f"voices={n_voices}", database)
    search = replace(search, filters=settle_likeness(database, search.filters))
    allowed = count_allowed(database, search.filters)
    if not allowed.have_pulse:
        seed = replace(seed, grid=None)
    timing = time_steps(seed, database, seconds, whole_bars=whole_bars)
    wanted = Wanted(
        seed,
        timing,
        search,
        scorer if scorer.has_affinities else None,
        seconds=seconds * n_voices,
        run_seconds=min(search.path.max_run, seconds),
        audible_only=allowed.n_audible > 0
        and is_audible_throughout(seed.descriptors, seed.step_samples, database.settings),
        transpose=transpose,
        seed_source=seed_source,
    )
    world, played = find_world(database, wanted)
    space = search.space(played)
    rules = Rules(
        search.path,
        database.units,
        timing.step_samples,
        database.sample_rate,
        whole_units=database.settings.units_vary and not timing.has_pulse,
    )
    paths = find_continuations(
        space,
        world,
        scorer,
        rules,
        seed=seed.descriptors,
        step_samples=timing.step_samples,
        temperature=sampling.temperature,
        random_seed=sampling.random_seed,
        variations=search.variations,
        voices=n_voices,
        progress=progress,
    )
    world_samples = database.units.n_samples[world.positions].sum()
    world_seconds = float(world_samples / database.sample_rate)
    n_sources = len(np.unique(database.units.source[world.positions]))
    return [
        Continuation(
            paths[first : first + n_voices], timing, space, allowed.counts, world_seconds, n_sources
        )
        for first in range(0, len(paths), n_voices)
    ]


def check_transpose(transpose: int, database: Database) -> None:
    """Check that sources of a database can be transposed towards a key, if they are to be.

    Raises
    ------
    ParameterError
        If the number is out of range, the database has no chroma, or python-stretch is missing.
    """
    if not 0 <= transpose <= MOST_TRANSPOSE:
        raise ParameterError(
            f"transpose={transpose} must be 0 to {MOST_TRANSPOSE} semitones; 0 transposes nothing"
        )
    if transpose:
        check_has_chroma(f"transpose={transpose}", database)
    if transpose and not can_transform():
        raise ParameterError(
            f"transpose={transpose} needs the package python-stretch; {install_command('stretch')}"
        )


def check_has_chroma(option: str, database: Database) -> None:
    """Raise a ParameterError if a database has no chroma, which an option needs."""
    if "chroma" not in database.settings.descriptors:
        wanted = ",".join((*database.settings.descriptors, "chroma"))
        raise ParameterError(
            f"{option} needs to know keys, but {database.path} has no chroma; build a"
            f" database with them: demiurge db build {quoted(str(database.root))} NEW.db --units"
            f" {database.settings.units} --descriptors {wanted}"
        )
