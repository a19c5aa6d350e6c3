"""The spectra of all units, at each transposition, and the search for those that fit.

A unit's position says its transposition as well: positions are those of
`db.derived.at_transpositions`, in which the whole corpus comes once for each.
"""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial
from typing import NamedTuple

import numpy as np

from db.bands import Bands
from db.derived_rows import SEMITONES
from query.rules import REST
from query.voices.fit import FLOOR, weights_of

BLOCK_STEPS = 64  # compared at a time with BLOCK_UNITS: 4 MB
BLOCK_UNITS = 1 << 14
GROUP = 16  # units whose scores are looked at together
NO_FIT = -1.0  # below any score
SMOOTH = 0.5  # octaves to either side
WIDENED = 0.75  # factor on the distance of transposed bands, over which each is spread


class UnitSpectra:
    """Magnitudes in bands of the units of a database, as they sound at each transposition.

    Attributes
    ----------
    n_units : int
        Of one copy of the corpus.
    n_bands : int
    """

    def __init__(
        self,
        bands: Bands,
        semitones: tuple[int, ...] = (0,),
        *,
        smooth: bool = False,
    ) -> None:
        """Take the bands of a database, and the transpositions of its copies.

        If they are to be `smooth`, they say nothing of single partials.
        """
        self._bands = bands
        self._smoothing = smoothing(bands.centres) if smooth else None
        self._semitones = semitones
        self.n_units = len(bands)
        self.n_bands = len(bands.centres)

    @property
    def n_copies(self) -> int:
        return len(self._semitones)

    def rows(self, positions: np.ndarray) -> np.ndarray:
        """Return the magnitudes of units, float32, (n, n_bands)."""
        if self._semitones == (0,):
            return self.smoothed(self._bands.rows(positions))
        copies, units = np.divmod(positions, self.n_units)
        rows = self._bands.rows(units)
        for copy in np.unique(copies).tolist():
            if self._semitones[copy]:
                of_copy = copies == copy
                rows[of_copy] = rows[of_copy] @ self._warps[copy]
        return self.smoothed(rows)

    def played(self, positions: np.ndarray) -> np.ndarray:
        """Return the `rows` of positions of any shape, 0 at `REST`, float32, (..., n_bands)."""
        rows = self.rows(np.maximum(positions, 0).ravel()).reshape(*positions.shape, self.n_bands)
        rows[positions == REST] = 0
        return rows

    def smoothed(self, rows: np.ndarray) -> np.ndarray:
        """Return spectra, smooth if those of the units are, (n, n_bands)."""
        return rows if self._smoothing is None else rows @ self._smoothing

    def f0(self, positions: np.ndarray) -> np.ndarray:
        """Return the pitch of units as they are played, in Hz, float32, (n,); 0 without one."""
        copies, units = np.divmod(positions, self.n_units)
        shifts = np.array(self._semitones, np.float32)[copies]
        return self._bands.f0(units) * 2 ** (shifts / SEMITONES)

    @cached_property
    def _warps(self) -> list[np.ndarray]:
        """The matrix that transposes spectra, for each copy, float32, (n_bands, n_bands)."""
        return [transposing(self._bands.centres, semitones) for semitones in self._semitones]

    def propose(
        self, targets: np.ndarray, others: np.ndarray, allowed: np.ndarray, k: int
    ) -> np.ndarray:
        """Return the units whose spectra go best with what other voices play.

        With r what is missing in the target, and w the target, a unit of spectrum c can lessen
        Σ (r - g·c)² / w by (Σ c·r / w)² / (Σ c² / w), at its best gain g. This is the divergence
        near its least value.

        Parameters
        ----------
        targets, others : ndarray, float32, shape (steps, n_bands)
        allowed : ndarray, bool, shape (n_units,)
        k : int
            If there are fewer, counted at each transposition, all are returned.

        Returns
        -------
        ndarray, int64, shape (steps, k)
            No position twice in a step.
        """
        k = min(k, self.n_copies * int(allowed.sum()))
        weights = weights_of(targets)
        missing = (targets - others) * weights
        best = np.full((len(targets), k), NO_FIT, np.float32)
        units = np.zeros((len(targets), k), np.int64)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for first, rows in self._blocks():
                left_out = np.flatnonzero(~allowed[first : first + len(rows)])
                powers = rows * rows
                for copy, semitones in enumerate(self._semitones):
                    warp = self._warps[copy].T if semitones else None
                    compare = partial(
                        _compare,
                        _Block(rows, powers, left_out, first + copy * self.n_units),
                        missing if warp is None else missing @ warp,  # not all units are moved
                        weights if warp is None else weights @ warp,
                        best,
                        units,
                    )
                    list(pool.map(compare, range(0, len(targets), BLOCK_STEPS)))
        return units

    def _blocks(self) -> Iterator[tuple[int, np.ndarray]]:
        """Yield the first unit and the rows of blocks of units."""
        for first in range(0, self.n_units, BLOCK_UNITS):
            last = min(first + BLOCK_UNITS, self.n_units)
            yield first, self.smoothed(self._bands.rows(np.arange(first, last)))


class _Block(NamedTuple):
    """Units to compare.

    Attributes
    ----------
    rows, powers : ndarray, float32, shape (units, n_bands)
        Their spectra, and the squares of these.
    left_out : ndarray, int64
        Those that may not be played.
    first : int
        The position of the first of them.
    """

    rows: np.ndarray
    powers: np.ndarray
    left_out: np.ndarray
    first: int


def _compare(
    block: _Block,
    missing: np.ndarray,
    weights: np.ndarray,
    best: np.ndarray,
    units: np.ndarray,
    start: int,
) -> None:
    """Put units among the `best` so far of some steps from `start` on, where they are better."""
    steps = slice(start, start + BLOCK_STEPS)
    k = best.shape[1]
    scores = missing[steps] @ block.rows.T
    np.maximum(scores, 0, out=scores)
    scores *= scores
    scores /= weights[steps] @ block.powers.T + FLOOR
    scores[:, block.left_out] = NO_FIT
    found = find_largest(scores, min(k, scores.shape[1]))
    both = np.concatenate([best[steps], np.take_along_axis(scores, found, axis=1)], axis=1)
    named = np.concatenate([units[steps], found + block.first], axis=1)
    kept = np.argpartition(both, -k, axis=1)[:, -k:]
    best[steps] = np.take_along_axis(both, kept, axis=1)
    units[steps] = np.take_along_axis(named, kept, axis=1)


def find_largest(scores: np.ndarray, k: int) -> np.ndarray:
    """Return the columns of the k largest values of each row, int64, (rows, k), in any order.

    They lie in the k groups of columns with the largest maxima, which are found first: much faster
    than among all columns.
    """
    n_groups = scores.shape[1] // GROUP
    if n_groups <= k:
        return np.argpartition(scores, -k, axis=1)[:, -k:]
    grouped = scores[:, : n_groups * GROUP].reshape(len(scores), n_groups, GROUP)
    groups = np.argpartition(grouped.max(axis=2), -k, axis=1)[:, -k:]
    columns = (groups[:, :, None] * GROUP + np.arange(GROUP)).reshape(len(scores), -1)
    rest = np.arange(n_groups * GROUP, scores.shape[1])
    columns = np.concatenate([columns, np.broadcast_to(rest, (len(scores), len(rest)))], axis=1)
    values = np.take_along_axis(scores, columns, axis=1)
    largest = np.argpartition(values, -k, axis=1)[:, -k:]
    return np.take_along_axis(columns, largest, axis=1)


def smoothing(centres: np.ndarray) -> np.ndarray:
    """Return the matrix M for which rows @ M are smooth spectra of the same sum, (bands, bands).

    What lies in a band is spread over the bands within `SMOOTH` octaves.
    """
    octaves = np.log2(np.maximum(centres, centres[1]))
    near = np.abs(octaves[:, None] - octaves) <= SMOOTH
    return (near / near.sum(axis=1, keepdims=True)).astype(np.float32)


def transposing(centres: np.ndarray, semitones: float) -> np.ndarray:
    """Return the matrix M for which rows @ M are the spectra, transposed, float32, (bands, bands).

    What lies in a band goes to the bands around its new frequency: to two at least, and to more
    where bands move further apart than they are, lest gaps be left between them.
    """
    ratio = 2 ** (semitones / SEMITONES)
    widths = np.gradient(centres)
    frequencies = centres * ratio
    reach = np.maximum(np.interp(frequencies, centres, widths), WIDENED * ratio * widths)
    away = np.abs(frequencies[:, None] - centres) / reach[:, None]
    matrix = np.maximum(1 - away, 0)
    matrix[frequencies > centres[-1]] = 0
    return (matrix / np.maximum(matrix.sum(axis=1, keepdims=True), FLOOR)).astype(np.float32)
