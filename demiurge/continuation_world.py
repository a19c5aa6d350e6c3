"""Choose the units that a continuation is made of, in each part of a corpus and then among all.

part     how far is each passage from the seed? ──► its nearest units
all      the nearest of these, enough for the continuation
part     what would follow them within a run; what each costs at each part of a beat
"""

from dataclasses import dataclass

import numpy as np

from db.database import Database
from db.derived import transposed
from db.settings import METRICAL
from demiurge.sequences import DescriptorSequence
from demiurge.timing import Timing
from query.apply_filters import apply_filters
from query.audible import audible_units
from query.closed_loop import Scorer
from query.cluster.corpus import Part
from query.cluster.paged import PagedDatabase
from query.cluster.parts import by_part, on_each_part, on_parts
from query.contexts import units_after
from query.continuation_costs import World
from query.filters import Filters
from query.left_units import check_some_left
from query.metre import part_costs, tempo_costs
from query.settings import SearchSettings
from query.space import Space
from query.style import (
    choose_transpositions,
    harmony_distances,
    n_needed,
    nearest_in_style,
    passage_means,
    style_distances,
    with_followers,
)

HARMONY = 8.0  # nats that a passage must go better with a seed if their chroma are unrelated
LEAST_WITH_PULSE = 0.1  # of the corpus; with less, a grid would cut what has no beats to bits
BLOCK_UNITS = 1 << 13  # whose affinities are found at a time: they fit in the cache


@dataclass(frozen=True)
class Wanted:
    """What the units should continue.

    Attributes
    ----------
    seed : DescriptorSequence
    timing : Timing
    search : SearchSettings
    scorer : Scorer, optional
        Finds passages that go with the seed; None if they are found by their style.
    seconds : float
        How much of the corpus is wanted.
    run_seconds : float
        How much of it may be played in a run.
    audible_only : bool
        Whether units that can hardly be heard are left out.
    transpose : int
        Semitones by which sources may be transposed.
    seed_source : int, optional
        The source that the seed is, all of which is wanted.
    """

    seed: DescriptorSequence
    timing: Timing
    search: SearchSettings
    scorer: Scorer | None
    seconds: float
    run_seconds: float
    audible_only: bool
    transpose: int = 0
    seed_source: int | None = None


@dataclass(frozen=True)
class Nearest:
    """The units of a part that are nearest to a seed, the nearest first.

    Attributes
    ----------
    positions, n_samples : ndarray, int64, shape (n,)
    distances : ndarray, float, shape (n,)
    semitones : ndarray, int64, shape (n_sources,)
        How far to transpose each source of the part.
    """

    positions: np.ndarray
    n_samples: np.ndarray
    distances: np.ndarray
    semitones: np.ndarray


@dataclass(frozen=True)
class Allowed:
    """The units that filters leave.

    Attributes
    ----------
    counts : dict
        How many each filter leaves.
    n_audible : int
        How many of those that all leave can be heard; see `query.audible`.
    n_samples, with_pulse : int
        How long these last, and those of them that have a pulse.
    """

    counts: dict[str, int]
    n_audible: int
    n_samples: int
    with_pulse: int

    @property
    def have_pulse(self) -> bool:
        """Whether enough of them have one."""
        return self.n_samples > 0 and self.with_pulse >= LEAST_WITH_PULSE * self.n_samples


def count_allowed(database: Database, filters: Filters) -> Allowed:
    """Count the units that filters leave.

    Raises
    ------
    ParameterError
        As `query.apply_filters.filter_units`.
    """
    found = on_each_part(database, _count_in_part, filters)
    counts = {name: sum(one.counts[name] for one in found) for name in found[0].counts}
    check_some_left(database.path, counts)
    return Allowed(
        counts,
        sum(one.n_audible for one in found),
        sum(one.n_samples for one in found),
        sum(one.with_pulse for one in found),
    )


def _count_in_part(part: Part, filters: Filters) -> Allowed:
    database = part.database
    allowed, counts = apply_filters(database, filters)
    n_audible = int((allowed & audible_units(database)).sum())
    n_samples = database.units.n_samples[allowed]
    with_pulse = 0
    if database.settings.is_metrical:
        with_pulse = int(n_samples[database.column("pulse")[allowed] > 0].sum())
    return Allowed(counts, n_audible, int(n_samples.sum()), with_pulse)


def find_world(database: Database, wanted: Wanted) -> tuple[World, Database]:
    """Return the units to continue a seed with, and the database with transposed sources."""
    found: list[Nearest] = on_each_part(database, _nearest_in_part, wanted)
    positions = np.concatenate([one.positions for one in found])
    n_samples = np.concatenate([one.n_samples for one in found])
    # parts are in the order of their positions: a stable sort keeps it for equal distances
    order = np.argsort(np.concatenate([one.distances for one in found]), kind="stable")
    order = order[: n_needed(n_samples[order], wanted.seconds * database.sample_rate)]
    chosen = by_part(database, positions[order])
    worlds = on_parts(database, _world_of_part, [(wanted, of_part) for of_part in chosen])
    world = World(
        np.concatenate([one.positions for one in worlds]),
        np.concatenate([one.costs for one in worlds], axis=1),
    )
    if not wanted.transpose:
        return world, database
    semitones = np.concatenate([one.semitones for one in found])
    if isinstance(database, PagedDatabase):
        return world, database.transposed(semitones)
    return world, transposed(database, semitones)


def _nearest_in_part(part: Part, wanted: Wanted) -> Nearest:
    database = part.database
    units = database.units
    of_seed = _is_of_seed(part, wanted)
    space = wanted.search.space(database)
    costs = _unit_costs(wanted.timing, space, np.arange(len(units))).min(axis=0)
    distances = _distances(wanted, space) + costs
    semitones = np.zeros(len(database.sources), np.int64)
    if wanted.transpose:
        seed = wanted.seed
        semitones = choose_transpositions(
            database, distances, seed.descriptors, seed.step_samples, most=wanted.transpose
        )
        if wanted.seed_source is not None:
            semitones[wanted.seed_source - part.first_source] = 0
        space = wanted.search.space(transposed(database, semitones))
        distances = _distances(wanted, space) + costs
    allowed = _allowed(database, wanted) & ~of_seed
    nearest = nearest_in_style(distances, allowed, database, seconds=wanted.seconds)
    return Nearest(
        nearest + part.first_position, units.n_samples[nearest], distances[nearest], semitones
    )


def _world_of_part(part: Part, wanted: Wanted, chosen: np.ndarray) -> World:
    """Return units of a part, given by their positions in it, with those that may follow."""
    database = part.database
    of_seed = _is_of_seed(part, wanted)
    is_chosen = np.zeros(len(database.units), bool)
    is_chosen[chosen] = True
    allowed = _allowed(database, wanted) & ~of_seed
    kept = with_followers(is_chosen, database, wanted.run_seconds) & allowed
    positions = np.flatnonzero(kept | of_seed)
    costs = _unit_costs(wanted.timing, wanted.search.space(database), positions)
    return World(positions + part.first_position, costs)


def _allowed(database: Database, wanted: Wanted) -> np.ndarray:
    """Return which units may be played, bool, (n_units,)."""
    allowed = apply_filters(database, wanted.search.filters)[0]
    return allowed & audible_units(database) if wanted.audible_only else allowed


def _is_of_seed(part: Part, wanted: Wanted) -> np.ndarray:
    """Return which units of a part are the seed's own, bool, (n_units,)."""
    number = -1 if wanted.seed_source is None else wanted.seed_source - part.first_source
    return part.database.units.source == number


def _distances(wanted: Wanted, space: Space) -> np.ndarray:
    """Return how far each unit's passage is from what may follow a seed, (n_units,)."""
    seed = wanted.seed
    scorer = wanted.scorer
    if scorer is None:
        return style_distances(space, seed.descriptors, seed.step_samples)
    database = space.database
    affinities = []
    positions = np.arange(len(database.units))
    for start in range(0, len(positions), BLOCK_UNITS):
        part = positions[start : start + BLOCK_UNITS]
        units = database.rows_at(part)
        following = units_after(database, part, scorer.n_following)
        affinities.append(scorer.affinities(seed.descriptors, units, following))
    means = passage_means(database, np.concatenate(affinities)[:, None])[:, 0]
    return harmony_distances(database, seed.descriptors, seed.step_samples, HARMONY) - means


def _unit_costs(timing: Timing, space: Space, positions: np.ndarray) -> np.ndarray:
    """Return what units cost at each part of a beat, from the first step's on, (parts, n)."""
    costs = _metrical_costs(timing, space.database, positions)
    return costs + space.preference_costs(positions)


def _metrical_costs(timing: Timing, database: Database, positions: np.ndarray) -> np.ndarray:
    """Return what units cost for their tempo and their place in the beat, (parts, n).

    Units that would have to be stretched, or that lie at another part of the beat, cost more. All
    cost nothing, in a single row, without a pulse.
    """
    if timing.first_part is None:
        return np.zeros((1, len(positions)), np.float32)
    settings = database.settings
    columns = [settings.names.index(name) for name in METRICAL]
    metrical = database.rows_at(positions)[:, columns]
    lengths = database.units.n_samples[positions]
    tempo = tempo_costs(metrical, lengths, tempo=timing.tempo, part_samples=timing.whole_first)
    parts = (timing.first_part + np.arange(settings.beat_parts)) % settings.beat_parts
    return (tempo + part_costs(metrical, parts, beat_parts=settings.beat_parts)).astype(np.float32)
