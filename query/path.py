"""From candidates to one path: the units that fit the sequence and each other (Hunt & Black 1996, unit selection).

    step        t-1              t
             a1 ─────┐      b1 = what follows a1: join cost 0
             a2 ───┐ └────► b2      otherwise: distance from what follows a in its source to b
             a3    └──────► b3

cost of a path = sum of target costs (step to unit) + continuity · sum of join costs; Viterbi finds its minimum.
Each step's candidates are its k nearest units and the successors of the k best units so far, so that a run can go on
where it is only the second-best fit everywhere.
"""

from dataclasses import dataclass

import numpy as np

from db.errors import ParameterError
from query.index import Matches, UnitIndex


@dataclass(frozen=True)
class UnitPath:
    """One unit per step.

    Attributes
    ----------
    units : ndarray, int64, shape (steps,)
        Unit ids.
    distances : ndarray, float32, shape (steps,)
        Target cost of each.
    matches : Matches
        The k nearest of each step: what else could have been played.
    cost : float
        Target costs plus weighted join costs.
    """

    units: np.ndarray
    distances: np.ndarray
    matches: Matches
    cost: float


def select_path(
    index: UnitIndex, sequence: np.ndarray, *, k: int, continuity: float, step_samples: np.ndarray | None
) -> UnitPath:
    """The path of least total cost through the candidates.

    Parameters
    ----------
    sequence : ndarray, float32, shape (steps, n_descriptors), raw
    k : int
        Nearest units considered at each step.
    continuity : float >= 0
        Weight of the join costs: 0 is the nearest unit of every step; more gives longer runs of one source.
    step_samples : ndarray, int64, shape (steps,), or None
        How long each step lasts. A unit after whose start its source is over sooner is not considered, unless no candidate
        lasts. None: a step lasts as long as its unit.

    Raises
    ------
    ParameterError
        As `UnitIndex.search`, and for a negative or non-finite continuity.
    """
    if not (np.isfinite(continuity) and continuity >= 0):
        raise ParameterError(f"continuity={continuity} must be a finite number of at least 0")
    matches = index.search(sequence, k=k)
    targets, nearest = index.normalise(sequence), index.positions(matches.units)
    room, successor = index.database.units.room, _successors(index)
    lasting = np.ones(len(targets), np.int64) if step_samples is None else step_samples
    candidates: list[np.ndarray] = []
    origins: list[np.ndarray] = []
    cost = np.zeros(0)
    for step, target in enumerate(targets):
        near = nearest[step]
        if (long_enough := room[near] >= lasting[step]).any():
            near = near[long_enough]
        if not candidates:
            here = np.unique(near)
            cost = np.zeros(len(here))
        else:
            before = candidates[-1]
            following = successor[before[np.argsort(cost, kind="stable")[:k]]]
            following = following[following >= 0]
            here = np.unique(np.concatenate([near, following[room[following] >= lasting[step]]]))
            total = cost[:, None] + continuity * _join_costs(index.scores, before, here, successor)
            origins.append(total.argmin(axis=0))
            cost = total.min(axis=0)
        cost = cost + np.linalg.norm(index.scores[here] - target, axis=1)
        candidates.append(here)
    chosen = _trace_back(candidates, origins, int(cost.argmin()))
    distances = np.linalg.norm(index.scores[chosen] - targets, axis=1)
    return UnitPath(index.database.units.ids[chosen], distances, matches, float(cost.min()))


def _successors(index: UnitIndex) -> np.ndarray:
    """Position of the unit that follows each unit in its source, -1 for the last; shape (n_units,)."""
    source = index.database.units.source
    successor = np.arange(1, len(source) + 1)
    successor[np.append(source[1:] != source[:-1], True)] = -1
    return successor


def _join_costs(scores: np.ndarray, before: np.ndarray, here: np.ndarray, successor: np.ndarray) -> np.ndarray:
    """Distance from what follows each unit of `before` to each of `here`, shape (len(before), len(here)).

    The last unit of a source is followed by nothing; it stands for itself.
    """
    follows = successor[before]
    expected = scores[np.where(follows >= 0, follows, before)]
    offered = scores[here]
    squared = (expected**2).sum(axis=1)[:, None] + (offered**2).sum(axis=1) - 2 * expected @ offered.T
    costs = np.sqrt(np.maximum(squared, 0))
    costs[follows[:, None] == here] = 0.0
    return costs


def _trace_back(candidates: list[np.ndarray], origins: list[np.ndarray], last: int) -> np.ndarray:
    chosen = [last]
    for origin in reversed(origins):
        chosen.append(int(origin[chosen[-1]]))
    chosen.reverse()
    return np.array([step[choice] for step, choice in zip(candidates, chosen, strict=True)])
