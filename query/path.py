"""Find the paths of units for a sequence, with the costs of each unit."""

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
    """A unit, or a rest, for each part of a sequence.

    A part is a step. Only a step longer than every source that fits it is split into several.

    Attributes
    ----------
    positions : ndarray, int64, shape (n,)
        Positions in `Database.units`; `REST` where nothing is played.
    steps : ndarray, int64, shape (n,)
        The step of the sequence that each part belongs to, ascending.
    n_samples : ndarray, int64, shape (n,)
        Length of each part.
    distances, joins : ndarray, float32, shape (n,)
        Target cost of each unit, and join cost from the one before; 0 at rests.
    matches : Matches
        The k nearest units of each step of the sequence.
    cost : float
        Target costs plus weighted join costs, with the shares of novelty and temperature.
    rules : Rules
        The rules that the path keeps.
    stretched : bool
        True if units are played whole, stretched to the lengths of the parts.
    """

    positions: np.ndarray
    steps: np.ndarray
    n_samples: np.ndarray
    distances: np.ndarray
    joins: np.ndarray
    matches: Matches
    cost: float
    rules: Rules
    stretched: bool = False


def find_paths(
    index: UnitIndex,
    sequence: np.ndarray,
    options: PathOptions,
    *,
    step_samples: np.ndarray,
    whole_units: bool = False,
    in_time: bool = False,
    fill: bool = False,
    variations: int = 1,
    locked: Mapping[int, int] | None = None,
    progress: Progress = no_progress,
) -> list[UnitPath]:
    """Find paths of least total cost through the candidates that keep to the rules.

    The first is the best. For each further path, the units that earlier paths play at a step, and
    their close neighbours, cost more there, by as much as the candidates differ. The result is
    another good path, not a perturbed first one (diverse M-best, Batra et al. 2012).

    Parameters
    ----------
    sequence : ndarray, float32, shape (steps, n_descriptors), raw
    step_samples : ndarray, int64, shape (steps,)
        Length of each step. A unit whose source ends sooner is not considered.
    whole_units : bool
        Let each step last as long as its unit instead; a rest still lasts as long as its step.
    in_time : bool
        With whole units, let steps keep their length all the same: units will be stretched to it.
        Only units that could last as long are considered, in case they are not.
    fill : bool
        With whole units, consider for the last path only units that could last as long as the
        step, if one of the nearest could. That path can then be played in time.
    locked : mapping of int to int, optional
        The unit, as a position in `Database.units`, or `REST`, that a step of the sequence must
        play. Such a step is not split, and filters, min_reuse, max_run and rest_threshold do not
        apply to it. They still apply to other steps: none plays a locked unit within min_reuse of
        the locked step, though a run may continue into it. With locked steps, several paths may be
        alike.

    Raises
    ------
    ParameterError
        As `UnitIndex.search` and `query.steps.check_locked`; if min_reuse and max_run leave
        nothing to play at some step; if no unit is near enough anywhere; or if there are fewer
        different paths than `variations`.
    """
    candidates = Candidates(
        index,
        sequence,
        options,
        step_samples,
        whole_units=whole_units,
        in_time=in_time,
        locked=locked,
    )
    rules = Rules(
        options,
        candidates.units,
        candidates.n_samples,
        index.database.sample_rate,
        whole_units=not candidates.in_time,
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
        found.append(describe_path(candidates, rules, positions, cost))
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
    """Return the positions and cost of the best path found, which is never worse than greedy."""
    if rules.options.search == "greedy":
        return find_greedily(candidates, rules)
    width = BEAM if rules.options.search == "beam" else None
    try:
        greedy, greedy_cost = find_greedily(candidates, rules)
    except ParameterError:  # a dead end, which other searches may avoid
        return PathSearch(candidates, rules, width=width, progress=progress).run()
    # with rules, only the greedy path itself is sure to be allowed; without, offer its successors
    also = greedy if rules.look_back else np.append(REST, candidates.units.successors(greedy[:-1]))
    try:
        search = PathSearch(candidates, rules, width=width, also=also, progress=progress)
        path, cost = search.run()
    except ParameterError:  # each candidate keeps only one past, and all may be dead ends
        return greedy, greedy_cost
    return (path, cost) if cost <= greedy_cost else (greedy, greedy_cost)


def describe_path(
    candidates: Candidates, rules: Rules, positions: np.ndarray, cost: float
) -> UnitPath:
    """Return the found path with the costs of each part."""
    space = candidates.space
    distances = candidates.path_costs(positions)
    n_samples = candidates.n_samples
    if candidates.whole_units:
        n_samples = np.where(positions == REST, n_samples, candidates.units.n_samples[positions])
    joins = space.joins.along(positions, n_samples)
    return UnitPath(
        positions,
        candidates.steps,
        candidates.n_samples if candidates.in_time else n_samples,
        distances,
        joins,
        candidates.matches,
        cost,
        rules,
        stretched=candidates.whole_units and candidates.in_time,
    )
