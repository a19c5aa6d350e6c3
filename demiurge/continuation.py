"""Find how a seed goes on: its world, the steps in time, and a closed loop with the forecaster."""

from dataclasses import dataclass

import numpy as np

from db.beat_grid import TEMPO_ORIGIN
from db.database import Database
from demiurge.plans.placing import Placement, place_on_grid
from demiurge.sequences import DescriptorSequence
from demiurge.timing import Timing, time_steps
from files.errors import ParameterError, install_command
from files.progress import Progress, no_progress
from playback.transform import can_transform
from query.closed_loop import Scorer, find_continuations
from query.continuation_costs import World
from query.filters import filter_units
from query.names import MOST_TRANSPOSE
from query.path import UnitPath
from query.rules import Rules
from query.settings import SearchSettings
from query.space import Space
from query.style import choose_transpositions, choose_world, style_distances
from sequencer.sampling import SamplingOptions

TEMPO = 4.0  # cost of a unit that would have to be played at twice or half its speed
SAME_TEMPO = 0.03  # octaves that cost nothing
TOLERANCE_MS = 30.0  # players are not more exact; a run that is within it is not parted
PART = 3.0  # cost of a unit at another part of the beat, for each quarter of a beat


@dataclass(frozen=True)
class Continuation:
    """How a seed goes on.

    Attributes
    ----------
    path : UnitPath
    timing : Timing
    space : Space
        Of the database as it is played, with sources transposed.
    counts : dict
        Number of units left after each filter.
    world_seconds : float
        How much of the corpus the units were chosen from.
    """

    path: UnitPath
    timing: Timing
    space: Space
    counts: dict[str, int]
    world_seconds: float

    @property
    def database(self) -> Database:
        return self.space.database

    def place(self) -> Placement | None:
        """Return when the units are played, in the seed's tempo; None if it has no pulse."""
        if not self.timing.has_pulse:
            return None
        units = self.database.units
        first = int(units.n_samples[self.path.positions[0]])
        played = self.timing.step_samples[0] / self.timing.whole_first
        return place_on_grid(
            self.path.positions,
            units,
            self.path.n_samples,
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
    progress: Progress = no_progress,
) -> list[Continuation]:
    """Return as many variations of how a seed goes on as `search` asks for.

    Parameters
    ----------
    seed_source : int, optional
        The source that the seed is, all of which may be played whatever the filters say.
    transpose : int
        How far other sources may be transposed towards the seed's key, in semitones.

    Raises
    ------
    ParameterError
        If the filters or the rules leave nothing to play, or `check_transpose` refuses.
    """
    check_transpose(transpose, database)
    space = search.space(database)
    allowed, counts = filter_units(database, search.filters)
    timing = time_steps(seed, database, seconds)
    costs = np.zeros((1, len(database.units)), np.float32)
    if timing.has_pulse:
        costs = _metrical_costs(timing, database)
    of_seed = database.units.source == (-1 if seed_source is None else seed_source)
    distances = style_distances(space, seed.descriptors, seed.step_samples) + costs.min(axis=0)
    if transpose:
        semitones = choose_transpositions(
            database, distances, seed.descriptors, seed.step_samples, most=transpose
        )
        if seed_source is not None:
            semitones[seed_source] = 0
        space = search.space(database.transposed(semitones))
        distances = style_distances(space, seed.descriptors, seed.step_samples) + costs.min(axis=0)
    run_seconds = min(search.path.max_run, seconds)
    positions = choose_world(
        distances, allowed & ~of_seed, database, seconds=seconds, run_seconds=run_seconds
    )
    positions = np.union1d(positions, np.flatnonzero(of_seed))
    world = World(positions, costs[:, positions])
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
        progress=progress,
    )
    world_seconds = float(database.units.n_samples[positions].sum() / database.sample_rate)
    return [Continuation(path, timing, space, counts, world_seconds) for path in paths]


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
    if transpose and "chroma" not in database.settings.descriptors:
        wanted = ",".join((*database.settings.descriptors, "chroma"))
        raise ParameterError(
            f"transpose={transpose} needs to know keys, but {database.path} has no chroma; build a"
            f" database with them: demiurge db build {database.root} NEW.db --units"
            f" {database.settings.units} --descriptors {wanted}"
        )
    if transpose and not can_transform():
        raise ParameterError(
            f"transpose={transpose} needs the package python-stretch; {install_command('stretch')}"
        )


def _metrical_costs(timing: Timing, database: Database) -> np.ndarray:
    """Return what units cost at each part of a beat, from the first step's on, (parts, n_units).

    Units that would have to be stretched, or that lie at another part of the beat, cost more.
    """
    settings = database.settings
    assert timing.first_part is not None
    octaves = np.log2(database.units.n_samples / timing.whole_first)
    with_pulse = database.column("pulse") > 0
    own_tempo = database.column("tempo")[with_pulse]
    octaves[with_pulse] = own_tempo - np.log2(timing.tempo / TEMPO_ORIGIN)
    octaves = np.abs(octaves)
    tempo = TEMPO * np.maximum(octaves - SAME_TEMPO, 0)
    cosine = database.column("beat_cos")
    sine = database.column("beat_sin")
    parts = (timing.first_part + np.arange(settings.beat_parts)) % settings.beat_parts
    angles = 2 * np.pi * parts[:, None] / settings.beat_parts
    off = 1 - np.cos(angles) * cosine - np.sin(angles) * sine
    return (tempo + PART * off).astype(np.float32)
