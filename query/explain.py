"""Why a path is as it is: what each step's other candidates would have cost where it goes, and
which rule forbids them.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from query.index import UnitIndex
from query.joins import JoinCosts
from query.options import PathOptions
from query.path import REST, UnitPath

BLOCK = 512  # steps explained at a time; bounds memory


@dataclass(frozen=True)
class Explanation:
    """For every part of a path and each of its step's k matches.

    Attributes
    ----------
    joins : ndarray, float32, shape (n, k)
        Join cost from the unit that the path plays before; 0 after a rest and at the start.
    removed : list of list of str
        The rule that forbids the match here, by its name in `PathOptions`, or "too short": its
        source is over sooner; "" if none does.
    """

    joins: np.ndarray
    removed: list[list[str]]

    def candidates(self, path: UnitPath, part: int) -> Iterator[tuple[int, float, float, str]]:
        """(unit, distance, join, removed) of each match of a part of the path that this explains,
        nearest first.
        """
        units, distances = (
            column[path.steps[part]].tolist()
            for column in (path.matches.units, path.matches.distances)
        )
        return zip(units, distances, self.joins[part].tolist(), self.removed[part], strict=True)


def explain(
    index: UnitIndex, path: UnitPath, options: PathOptions, *, whole_units: bool = False
) -> Explanation:
    """What speaks against each match of each step, given the rest of the path; `whole_units` as in
    `find_paths`.
    """
    matches = index.positions(path.matches.units)[path.steps]
    played = np.where(path.units == REST, REST, index.positions(path.units))
    before = np.append(REST, played[:-1])
    units = index.database.units
    lasting_before = np.append(0, path.n_samples[:-1])
    follows = np.where(before == REST, REST, units.after(before, lasting_before)[1])
    joins = JoinCosts(index)
    blocks = [slice(at, at + BLOCK) for at in range(0, len(before), BLOCK)]
    cost = np.concatenate(
        [joins.to_each(before[span], lasting_before[span], matches[span]) for span in blocks]
    )
    removed = np.full(matches.shape, "", object)
    lasting = (
        units.n_samples[matches]
        if whole_units
        else np.repeat(path.n_samples[:, None], matches.shape[1], axis=1)
    )
    removed[units.room[matches] < lasting] = "too short"
    if np.isfinite(options.max_run):
        runs = _runs(played, follows, path.n_samples)[:, None]
        over = runs + lasting > options.max_run * index.database.sample_rate
        removed[(matches == follows[:, None]) & over] = "max_run"
        removed[lasting > options.max_run * index.database.sample_rate] = "max_run"
    if options.min_reuse:
        removed[
            _just_used(
                played, matches, path.n_samples, options.min_reuse * index.database.sample_rate
            )
        ] = "min_reuse"
    removed[path.units == REST] = "rest_threshold"
    return Explanation(cost, removed.tolist())


def _runs(played: np.ndarray, follows: np.ndarray, lasting: np.ndarray) -> np.ndarray:
    """Samples for which the sound before each part has gone on in one source."""
    runs = np.zeros(len(played), np.int64)
    run = 0
    for i in range(1, len(played)):
        goes_on = i > 1 and follows[i - 1] >= 0 and played[i - 1] == follows[i - 1]
        run = (run if goes_on else 0) + int(lasting[i - 1])
        runs[i] = run
    return runs


def _just_used(
    played: np.ndarray, matches: np.ndarray, lasting: np.ndarray, within: float
) -> np.ndarray:
    """Which matches began on the path less than `within` samples before."""
    used = np.zeros(matches.shape, bool)
    last: dict[int, int] = {}
    at = 0
    for i, row in enumerate(matches.tolist()):
        used[i] = [at - last.get(position, -(1 << 62)) < within for position in row]
        last[int(played[i])] = at
        at += int(lasting[i])
    return used
