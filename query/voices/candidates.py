"""The candidates of one voice: units that make the sum of all voices fit the target best."""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from query.candidates import Candidates
from query.index import Matches, UnitIndex
from query.options import PathOptions
from query.rules import REST
from query.voices.fit import BLOCK_STEPS, fit_one
from query.voices.pitch import WEIGHTS, pitch_costs
from query.voices.spectra import UnitSpectra
from query.voices.target import VoiceTarget

PROPOSED = 1.5  # units whose fit is computed, for each that is kept
# so that costs are about as large as distances between descriptors, and `continuity` means as much
SCALE = 20.0
IN_UNISON = 40 * SCALE  # cost of a unit that another voice plays at the same time


class Others(NamedTuple):
    """What the other voices play.

    Attributes
    ----------
    spectra : ndarray, float32, shape (steps, n_bands)
        Their sum.
    positions : list of ndarray, int64, shape (parts,)
        Their units, or `REST`.
    """

    spectra: np.ndarray
    positions: Sequence[np.ndarray]


class VoiceCandidates(Candidates):
    """The candidates of one voice, whose costs are those of `fit_one` times `SCALE`.

    Attributes
    ----------
    pool : ndarray, int64, shape (steps, n)
        All units whose costs are known.
    """

    pool: np.ndarray

    def __init__(
        self,
        index: UnitIndex,
        sequence: np.ndarray,
        options: PathOptions,
        step_samples: np.ndarray,
        *,
        spectra: UnitSpectra,
        target: VoiceTarget,
        others: Others,
        follow: str,
        pool: np.ndarray | None = None,
        locked: Mapping[int, int] | None = None,
    ) -> None:
        """Find the units that fit best; arguments and errors as `query.path.find_paths`.

        Parameters
        ----------
        pool : ndarray, int64, shape (steps, n), optional
            That of an earlier search for this voice, to choose from again.
        """
        self._spectra = spectra
        self._target = target
        self._others = others
        self._follow = follow
        self._known_pool = pool
        self._step_samples = step_samples
        self._locked_steps = locked or {}
        super().__init__(index, sequence, options, step_samples, locked=locked)
        free = ~np.isin(np.arange(len(self)), list(self.locked))
        self.rests |= target.silent[self.steps] & free
        self.join_weights = 1 - target.onsets[self.steps]

    def _find_matches(self, index: UnitIndex, sequence: np.ndarray) -> Matches:
        pool = self._find_pool(index) if self._known_pool is None else self._known_pool
        for step, position in self._locked_steps.items():
            if position != REST:
                pool[step, 0] = position
        self.pool = pool
        costs = self._fit_each(pool)
        for played in self._others.positions:
            costs[pool == played[:, None]] += IN_UNISON
        order = pool.argsort(axis=1, kind="stable")
        self._sorted = np.take_along_axis(pool, order, axis=1)
        self._sorted_costs = np.take_along_axis(costs, order, axis=1)
        again = self._sorted[:, 1:] == self._sorted[:, :-1]
        self._is_new = np.concatenate([np.ones((len(pool), 1), bool), ~again], axis=1)
        distances = np.where(self._is_new, self._sorted_costs, np.inf)
        n_distinct = int(self._is_new.sum(axis=1).min())
        order = distances.argsort(axis=1, kind="stable")[:, : min(self.k, n_distinct)]
        positions = np.take_along_axis(self._sorted, order, axis=1)
        return Matches(positions, np.take_along_axis(distances, order, axis=1))

    def _count_parts(self, step_samples: np.ndarray, locked: Mapping[int, int]) -> np.ndarray:
        """Split no step: voices change together."""
        return np.ones(len(step_samples), np.int64)

    def _find_pool(self, index: UnitIndex) -> np.ndarray:
        """Return units to choose from: those whose spectra go best, and what follows the best."""
        allowed = index.allowed[: self._spectra.n_units]
        n = round(PROPOSED * self.k)
        pool = self._spectra.propose(self._target.spectra, self._others.spectra, allowed, n)
        costs = self._fit_each(pool)
        for _ in range(2):
            going_on = self._going_on(pool, costs, allowed)
            costs = np.concatenate([costs, self._fit_each(going_on)], axis=1)
            pool = np.concatenate([pool, going_on], axis=1)
        left = self.units.samples_left
        too_short = (left[pool] < self._step_samples[:, None]).all(axis=1)
        pool[too_short, 0] = np.where(index.allowed, left, 0).argmax()
        return pool

    def _going_on(self, pool: np.ndarray, costs: np.ndarray, allowed: np.ndarray) -> np.ndarray:
        """Return what follows the best units of the step before, int64, (steps, k // 2).

        Where that may not be played, it is one of the step's own best units.
        """
        n = min(max(self.k // 2, 1), pool.shape[1])
        best = np.take_along_axis(pool, np.argpartition(costs, n - 1, axis=1)[:, :n], axis=1)
        following = best.copy()
        following[1:] = self.units.successors(best[:-1].ravel()).reshape(-1, n)
        may_play = (following != REST) & allowed[following % self._spectra.n_units]
        return np.where(may_play, following, best)

    def _fit_each(self, positions: np.ndarray) -> np.ndarray:
        """Return the cost of units at each step, float32, (steps, n)."""
        costs = np.empty(positions.shape, np.float32)

        def fit_block(start: int) -> None:
            block = slice(start, start + BLOCK_STEPS)
            here = positions[block]
            rows = self._spectra.rows(here.ravel()).reshape(*here.shape, -1)
            costs[block], _ = fit_one(
                rows, self._target.spectra[block], self._others.spectra[block]
            )

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(fit_block, range(0, len(positions), BLOCK_STEPS)))
        unit_f0 = self._spectra.f0(positions.ravel()).reshape(positions.shape)
        return with_pitch(costs, unit_f0, self._target.f0, self._follow)

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
        return self._sorted_costs[step, self._sorted[step].searchsorted(here)]

    def path_costs(self, path: np.ndarray) -> np.ndarray:
        """Return the cost of each unit of a path at its part, float32, (n,); 0 at rests."""
        place = (self._sorted == path[:, None]).argmax(axis=1)  # a part is a step
        costs = np.take_along_axis(self._sorted_costs, place[:, None], axis=1)[:, 0]
        return np.where(path == REST, np.float32(0), costs)


def with_pitch(
    costs: np.ndarray, unit_f0: np.ndarray, target_f0: np.ndarray, follow: str
) -> np.ndarray:
    """Return what units cost for their spectra and their pitch, float32, (steps, n).

    Parameters
    ----------
    costs : ndarray, float32, shape (steps, n)
        As `fit_one`.
    unit_f0, target_f0 : ndarray, shapes (steps, n) and (steps,)
        As `pitch_costs`.
    follow : str
        As `VoiceOptions`.
    """
    of_spectrum, of_pitch = WEIGHTS[follow]
    return SCALE * (of_spectrum * costs + of_pitch * pitch_costs(unit_f0, target_f0))
