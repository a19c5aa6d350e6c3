"""The candidates of one voice: units that make the sum of all voices fit the target best."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from query.candidates import Candidates
from query.index import Matches, UnitIndex
from query.options import PathOptions
from query.rules import REST
from query.voices.fit import BLOCK_STEPS, fit_one
from query.voices.spectra import UnitSpectra

PROPOSED = 1.5  # units whose fit is computed, for each that is kept
# what a step costs whose spectrum has nothing in common with the target's; so that the costs are
# about as large as distances between descriptors, and `continuity` means as much
SCALE = 40.0


class Wanted(NamedTuple):
    """What a voice is chosen for.

    Attributes
    ----------
    targets, others : ndarray, float32, shape (steps, n_bands)
        The spectra of the target, and of the sum of the other voices.
    silent : ndarray, bool, shape (steps,)
        True where nothing shall be played.
    onsets : ndarray, float64, shape (steps,)
        0 to 1: how clearly a sound begins there; all voices may change there at less cost.
    pool : ndarray, int64, shape (steps, n), optional
        The candidates, if they are known from an earlier round.
    """

    targets: np.ndarray
    others: np.ndarray
    silent: np.ndarray
    onsets: np.ndarray
    pool: np.ndarray | None = None


class VoiceCandidates(Candidates):
    """The candidates of one voice, whose costs are divergences of spectra times `SCALE`."""

    def __init__(
        self,
        index: UnitIndex,
        sequence: np.ndarray,
        options: PathOptions,
        step_samples: np.ndarray,
        *,
        spectra: UnitSpectra,
        wanted: Wanted,
        locked: Mapping[int, int] | None = None,
    ) -> None:
        """Find the units that fit best; arguments and errors as `query.path.find_paths`."""
        self._spectra = spectra
        self._wanted = wanted
        super().__init__(index, sequence, options, step_samples, locked=locked)
        self.rests |= wanted.silent[self.steps] & ~np.isin(np.arange(len(self)), list(self.locked))
        self.join_weights = 1 - wanted.onsets[self.steps]

    def _find_matches(self, index: UnitIndex, sequence: np.ndarray) -> Matches:
        wanted = self._wanted
        allowed = index.allowed[: self._spectra.n_units]
        n = min(round(PROPOSED * self.k), int(allowed.sum()))
        if wanted.pool is None:
            pool = self._spectra.propose(wanted.targets, wanted.others, allowed, n)
            costs = self._fit_each(pool)
            for _ in range(2):
                going_on = self._going_on(pool, costs)
                costs = np.concatenate([costs, self._fit_each(going_on)], axis=1)
                pool = np.concatenate([pool, going_on], axis=1)
        else:
            pool = wanted.pool
            costs = self._fit_each(pool)
        self.pool = pool
        order = pool.argsort(axis=1, kind="stable")
        self._sorted = np.take_along_axis(pool, order, axis=1)
        self._sorted_costs = np.take_along_axis(costs, order, axis=1)
        again = self._sorted[:, 1:] == self._sorted[:, :-1]
        self._is_new = np.concatenate([np.ones((len(pool), 1), bool), ~again], axis=1)
        distances = np.where(self._is_new, self._sorted_costs, np.inf)
        order = distances.argsort(axis=1, kind="stable")[:, : self.k]
        positions = np.take_along_axis(self._sorted, order, axis=1)
        return Matches(positions, np.take_along_axis(distances, order, axis=1))

    def _going_on(self, pool: np.ndarray, costs: np.ndarray) -> np.ndarray:
        """Return what follows the best units of the step before, int64, (steps, k // 4)."""
        n = max(self.k // 4, 1)
        best = np.take_along_axis(pool, np.argpartition(costs, n - 1, axis=1)[:, :n], axis=1)
        following = best.copy()
        following[1:] = self.units.successors(best[:-1].ravel()).reshape(-1, n)
        return np.where(following == REST, best, following)

    def _fit_each(self, positions: np.ndarray) -> np.ndarray:
        """Return the cost of units at each step, float32, (steps, n)."""
        costs = np.empty(positions.shape, np.float32)
        for start in range(0, len(positions), BLOCK_STEPS):
            block = slice(start, start + BLOCK_STEPS)
            here = positions[block]
            rows = self._spectra.rows(here.ravel()).reshape(*here.shape, -1)
            divergence, _ = fit_one(rows, self._wanted.targets[block], self._wanted.others[block])
            costs[block] = SCALE * divergence
        return costs

    def at(self, part: int, going_on: np.ndarray) -> np.ndarray:
        """Return the candidates of a part in ascending order."""
        if part in self.locked:
            return self._nearest[part]
        step = self.steps[part]
        here = self._sorted[step][self._is_new[step]]
        return here[self.units.samples_left[here] >= self._least_samples[part]]

    def target_costs(self, part: int, here: np.ndarray, vectors: np.ndarray) -> np.ndarray:
        """Return the costs of candidates, float32, (n,)."""
        step = self.steps[part]
        place = self._sorted[step].searchsorted(here)
        return self._sorted_costs[step, place]

    def path_costs(self, path: np.ndarray) -> np.ndarray:
        """Return the cost of each unit of a path at its part, float32, (n,); 0 at rests."""
        costs = np.zeros(len(path), np.float32)
        nothing = np.empty((0, 0), np.float32)
        for part in np.flatnonzero(path != REST).tolist():
            costs[part] = self.target_costs(part, path[part : part + 1], nothing)[0]
        return costs
