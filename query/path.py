"""The units that are played for a sequence: the path that `query.search` finds, with what each part
of it costs.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from files.errors import ParameterError
from query.index import Matches, UnitIndex
from query.options import PathOptions
from query.rules import REST
from query.search import Search


@dataclass(frozen=True)
class UnitPath:
    """One unit per step, or several where a step lasts longer than any sound that would fit; or a
    rest.

    Attributes
    ----------
    units : ndarray, int64, shape (n,)
        Unit ids; `REST` where nothing is played.
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
    """

    units: np.ndarray
    steps: np.ndarray
    n_samples: np.ndarray
    distances: np.ndarray
    joins: np.ndarray
    matches: Matches
    cost: float


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
) -> list[UnitPath]:
    """Paths of least total cost through the candidates that keep to the rules.

    The first is the best. Each further one is the best where every unit that an earlier one plays
    at a step, or nearly the same sound, costs as much more there as the candidates differ: another
    good path, not the first one perturbed (diverse M-best, Batra et al. 2012).

    Parameters
    ----------
    sequence : ndarray, float32, shape (steps, n_descriptors), raw
    step_samples : ndarray, int64, shape (steps,)
        How long each step lasts. A unit after whose start its source is over sooner is not
        considered.
    whole_units : bool
        A step lasts as long as its unit instead, and a rest as long as its step.
    fill : bool
        With whole units, consider for the last path only those that could go on as long as the
        step, where one of the nearest could: it can then be played in time.
    locked : mapping of int to int, optional
        The unit id that a step of the sequence must play, or `REST`: the step is not split, and
        neither filters nor min_reuse, max_run and rest_threshold apply to it. To the other steps
        they do: none plays a locked unit within min_reuse of it, but a run may go on into a locked
        step. Where steps are locked, several paths may be alike.

    Raises
    ------
    ParameterError
        As `UnitIndex.search` and `locate_locked`; if min_reuse and max_run leave nothing to play at
        some step, if nothing is near enough anywhere, or if there are not as many paths.
    """
    search = Search(index, sequence, options, step_samples, whole_units, locked or {})
    found: list[UnitPath] = []
    for number in range(variations):
        if fill and number == variations - 1:
            search.fill_steps()
        path = _describe(search, *search.best())
        if not locked and any(np.array_equal(path.units, other.units) for other in found):
            raise ParameterError(
                f"variations={variations}: only {len(found)} different paths were found; consider"
                " more units with -k, or ask for fewer"
            )
        found.append(path)
    return found


def select_path(
    index: UnitIndex,
    sequence: np.ndarray,
    options: PathOptions,
    *,
    step_samples: np.ndarray,
    whole_units: bool = False,
    locked: Mapping[int, int] | None = None,
) -> UnitPath:
    """The best of `find_paths`."""
    return find_paths(
        index, sequence, options, step_samples=step_samples, whole_units=whole_units, locked=locked
    )[0]


def _describe(search: Search, positions: np.ndarray, cost: float) -> UnitPath:
    """What the search found, in unit ids, with the costs of each part."""
    index = search.index
    played = np.flatnonzero(positions != REST)
    lasting = search.lasting
    units, distances, joins = (
        np.full(len(positions), fill, kind) for fill, kind in ((REST, "i8"), (0, "f4"), (0, "f4"))
    )
    units[played] = search.units.ids[positions[played]]
    distances[played] = index.metric.of_differences(
        index.scores(positions[played]) - search.targets[played]
    )
    if search.whole_units:
        lasting = np.where(positions == REST, lasting, search.units.n_samples[positions])
    joins[1:] = search.joins.to_each(positions[:-1], lasting[:-1], positions[1:, None])[:, 0]
    return UnitPath(units, search.steps, lasting, distances, joins, search.matches, cost)
