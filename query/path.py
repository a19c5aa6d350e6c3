"""The units that are played for a sequence, with what each of them costs."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from files.errors import ParameterError
from files.progress import Progress, no_progress
from query.candidates import Candidates
from query.greedy import find_greedily
from query.index import Matches, UnitIndex
from query.options import PathOptions
from query.rules import REST, Rules
from query.search import BEAM, PathSearch


@dataclass(frozen=True)
class UnitPath:
    """One unit per step, or several where a step lasts longer than any sound that would fit; or a
    rest.

    Attributes
    ----------
    positions : ndarray, int64, shape (n,)
        Positions in `Database.units`; `REST` where nothing is played.
    steps : ndarray, int64, shape (n,)
        The step of the sequence that each stands for, ascending.
    n_samples : ndarray, int64, shape (n,)
        How long each lasts.
    distances, joins : ndarray, float32, shape (n,)
        Target cost of each, and join cost from the one before; 0 at rests.
    matches : Matches
        The k nearest of each step of the sequence: what else could have been played.
    cost : float
        Target costs plus weighted join costs, and what novelty and temperature added.
    rules : Rules
        What it keeps to.
    """

    positions: np.ndarray
    steps: np.ndarray
    n_samples: np.ndarray
    distances: np.ndarray
    joins: np.ndarray
    matches: Matches
    cost: float
    rules: Rules


def find_paths(
    index: UnitIndex,
    sequence: np.ndarray,
    options: PathOptions,
    *,
    step_samples: np.ndarray,
    whole_units: bool = False,
    fill: bool = False,
    variations: int = 1,
    locked: Mapping[int, int] | None = None,
    progress: Progress = no_progress,
) -> list[UnitPath]:
    """Find paths of least total cost through the candidates that keep to the rules.

    The first is the best. Each further one is the best where every unit that an earlier one plays
    at a step, or nearly the same sound, costs as much more there as the candidates differ: another
    good path, not the first one perturbed (diverse M-best, Batra et al. 2012).

    Parameters
    ----------
    sequence : ndarray, float32, shape (steps, n_descriptors), raw
    step_samples : ndarray, int64, shape (steps,)
        How long each step lasts. A unit whose source is over sooner is not considered.
    whole_units : bool
        A step lasts as long as its unit instead, and a rest as long as its step.
    fill : bool
        With whole units, consider for the last path only those that could go on as long as the
        step, where one of the nearest could: it can then be played in time.
    locked : mapping of int to int, optional
        The unit, as a position in `Database.units`, that a step of the sequence must play, or
        `REST`: the step is not split, and neither filters nor min_reuse, max_run and rest_threshold
        apply to it. They apply to the other steps: none plays a locked unit within min_reuse of it,
        but a run may go on into a locked step. Where steps are locked, several paths may be alike.

    Raises
    ------
    ParameterError
        As `UnitIndex.search` and `query.candidates.check_locked`; if min_reuse and max_run leave
        nothing to play at some step, if nothing is near enough anywhere, or if there are not as
        many paths.
    """
    candidates = Candidates(
        index, sequence, options, step_samples, whole_units=whole_units, locked=locked
    )
    rules = Rules(
        options,
        candidates.units,
        candidates.n_samples,
        index.database.sample_rate,
        whole_units=whole_units,
        locked=candidates.locked,
    )
    found: list[UnitPath] = []
    for number in range(variations):
        if fill and number == variations - 1:
            candidates.fill_steps()
        positions, cost = _find_best(candidates, rules, progress)
        cost -= candidates.keep_apart(positions)
        if not locked and any(np.array_equal(positions, other.positions) for other in found):
            raise ParameterError(
                f"variations={variations}: only {len(found)} different paths were found; consider"
                " more units with -k, or ask for fewer"
            )
        found.append(_describe(candidates, rules, positions, cost))
    return found


def find_path(
    index: UnitIndex,
    sequence: np.ndarray,
    options: PathOptions,
    *,
    step_samples: np.ndarray,
    whole_units: bool = False,
    locked: Mapping[int, int] | None = None,
) -> UnitPath:
    """Return the best of `find_paths`."""
    return find_paths(
        index, sequence, options, step_samples=step_samples, whole_units=whole_units, locked=locked
    )[0]


def _find_best(
    candidates: Candidates, rules: Rules, progress: Progress
) -> tuple[np.ndarray, float]:
    """Return the path of least cost that is found, positions and cost: never worse than greedy."""
    if rules.options.search == "greedy":
        return find_greedily(candidates, rules)
    width = BEAM if rules.options.search == "beam" else None
    try:
        greedy, greedy_cost = find_greedily(candidates, rules)
    except ParameterError:  # a dead end, where others may go on
        return PathSearch(candidates, rules, width=width, progress=progress).run()
    # with rules, only what greedy plays is sure to be allowed; else what follows may be better
    also = greedy if rules.look_back else np.append(REST, candidates.units.successors(greedy[:-1]))
    try:
        search = PathSearch(candidates, rules, width=width, also=also, progress=progress)
        path, cost = search.run()
    except ParameterError:  # each candidate carries one past only, and all may be dead ends
        return greedy, greedy_cost
    return (path, cost) if cost <= greedy_cost else (greedy, greedy_cost)


def _describe(candidates: Candidates, rules: Rules, positions: np.ndarray, cost: float) -> UnitPath:
    """Return what the search found with the costs of each part."""
    space = candidates.space
    played = np.flatnonzero(positions != REST)
    distances = np.zeros(len(positions), np.float32)
    vectors = space.unit_vectors(positions[played])
    distances[played] = space.distances(vectors, candidates.targets[played])
    n_samples = candidates.n_samples
    if candidates.whole_units:
        n_samples = np.where(positions == REST, n_samples, candidates.units.n_samples[positions])
    joins = np.zeros(len(positions), np.float32)
    joins[1:] = space.joins.to_each(positions[:-1], n_samples[:-1], positions[1:, None])[:, 0]
    return UnitPath(
        positions, candidates.steps, n_samples, distances, joins, candidates.matches, cost, rules
    )
