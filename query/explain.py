"""Explain a path: the costs of each step's other candidates, and the rules that forbid them."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from query.path import UnitPath
from query.rules import REST, REST_THRESHOLD, RULES, TOO_SHORT
from query.space import Space

BLOCK_PARTS = 512  # explained at a time; bounds memory


@dataclass(frozen=True)
class Explanation:
    """Join costs and rules for each of the k matches of every part of a path.

    Attributes
    ----------
    joins : ndarray, float32, shape (n, k)
        Join cost from the unit before it in the path; 0 after a rest and at the start.
    removed : list of list of str
        The rule that forbids the match, one of `query.rules.RULES`; "" if none does.
    """

    joins: np.ndarray
    removed: list[list[str]]

    def candidates(self, path: UnitPath, part: int) -> Iterator[tuple[int, float, float, str]]:
        """Iterate over (position, distance, join, removed) of a part's matches, nearest first.

        `path` must be the path that this explains.
        """
        positions = path.matches.positions[path.steps[part]].tolist()
        distances = path.matches.distances[path.steps[part]].tolist()
        return zip(positions, distances, self.joins[part].tolist(), self.removed[part], strict=True)


def explain(space: Space, path: UnitPath) -> Explanation:
    """Return what speaks against each match of each step, given the rest of the path."""
    matches = path.matches.positions[path.steps]
    before = np.append(REST, path.positions[:-1])
    units = space.database.units
    played = units.n_samples[path.positions] if path.stretched else path.n_samples
    lasted = np.append(0, played[:-1])
    costs = []
    for start in range(0, len(matches), BLOCK_PARTS):
        block = slice(start, start + BLOCK_PARTS)
        costs.append(space.joins.to_each(before[block], lasted[block], matches[block]))
    starting = units.after(before, lasted)[1]
    starting[before == REST] = REST
    forbidden = _ask_rules(path, matches, starting)
    names = np.array(RULES, object)
    return Explanation(np.concatenate(costs), names[forbidden].tolist())


def _ask_rules(path: UnitPath, matches: np.ndarray, starting: np.ndarray) -> np.ndarray:
    """Return the rule that forbids each match of each part, an index into `RULES`, int8, (n, k).

    Parameters
    ----------
    starting : ndarray, int64, shape (n,)
        The unit that would continue what is played before; `REST` if none does.
    """
    rules = path.rules
    n_samples = rules.n_samples(matches, path.n_samples[:, None])
    forbidden = np.where(rules.too_short(matches, n_samples), TOO_SHORT, 0).astype(np.int8)
    if rules.look_back:
        by_past = _ask_about_past(path, matches, n_samples, starting)
        forbidden = np.where(by_past, by_past, forbidden)
    for part in np.flatnonzero(path.positions == REST).tolist():
        if part not in rules.locked:
            forbidden[part] = REST_THRESHOLD
    return forbidden


def _ask_about_past(
    path: UnitPath, matches: np.ndarray, n_samples: np.ndarray, starting: np.ndarray
) -> np.ndarray:
    """Return what forbids each match after what the path plays before, as `_ask_rules`.

    Parameters
    ----------
    n_samples : ndarray, int64, shape (n, k)
        How long each match would last.
    """
    order = matches.argsort(axis=1)
    here = np.take_along_axis(matches, order, axis=1)
    lasting = np.take_along_axis(n_samples, order, axis=1)
    would_go_on = (here == starting[:, None]) & (here != REST)
    goes_on = (path.positions == starting) & (starting != REST)
    forbidden = np.empty(matches.shape, np.int8)
    past = path.rules.begin()
    for part in range(len(matches)):
        going_on = would_go_on[part : part + 1].nonzero()
        by_past = path.rules.forbid(part, past, here[part], lasting[part], going_on)[0]
        forbidden[part, order[part]] = by_past
        this = slice(part, part + 1)
        past = past.then(path.positions[this], path.n_samples[this], goes_on[this])
    return forbidden
