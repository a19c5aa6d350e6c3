"""Rules that look back further than the unit before: no unit again within a while, runs that end,
what was used costs more.

They see what each hypothesis of the search has played, and forbid candidates or make them dearer.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from db.database import Units
from query.options import PathOptions

REST = -1  # in place of a unit
LAG = 32  # steps after which what the best hypothesis has played counts as used for all
NEAR = 2  # units on either side of a used one that sound so much alike that they count as used, too


@dataclass
class Past:
    """What hypotheses have played, one row each."""

    run: np.ndarray  # int64 (n,): samples for which it has gone on in one source
    recent: np.ndarray  # int64 (n, window): the last units, latest last; REST before the first

    def keep(self, rows: np.ndarray) -> "Past":
        return Past(self.run[rows], self.recent[rows])

    def then(self, positions: np.ndarray, run: np.ndarray) -> "Past":
        """After these have been played."""
        recent = (
            np.concatenate([self.recent, positions[:, None]], axis=1)[:, 1:]
            if self.recent.shape[1]
            else self.recent
        )
        return Past(run, recent)


class Rules:
    """The rules of one search.

    Parameters
    ----------
    lasting : ndarray, int64, shape (n,)
        Samples of each step; with `whole_units` of rests only, and units last as long as they do.
    locked : mapping of int to int
        Unit, as a position, or REST that must be played at some of the steps.
    """

    def __init__(
        self,
        options: PathOptions,
        units: Units,
        lasting: np.ndarray,
        sample_rate: int,
        *,
        whole_units: bool,
        locked: Mapping[int, int],
    ) -> None:
        self._options = options
        self._units = units
        self._lasting = lasting
        self._whole_units = whole_units
        self._max_run = options.max_run * sample_rate
        self._reuse_samples = options.min_reuse * sample_rate
        self._begins = begins = np.cumsum(lasting) - lasting
        self._locked = locked
        self._held = np.array(sorted(locked.items()), np.int64).reshape(-1, 2)
        if whole_units:
            reuse_steps = min(
                int(np.ceil(self._reuse_samples / units.n_samples.min())), len(lasting)
            )
        else:
            reuse_steps = int(
                (
                    np.arange(len(begins))
                    - np.searchsorted(begins, begins - self._reuse_samples, "right")
                ).max()
                + 1
            )
        self._window = max(reuse_steps, LAG if options.novelty else 0)
        self._used: dict[int, int] = {}

    def begin(self) -> Past:
        return Past(np.zeros(1, np.int64), np.full((1, self._window), REST))

    def apply(
        self,
        step: int,
        past: Past,
        here: np.ndarray,
        total: np.ndarray,
        on: tuple[np.ndarray, np.ndarray],
        lasting: np.ndarray,
    ) -> None:
        """Add what the rules cost to `total`, (hypotheses, candidates `here`); infinity is what is
        forbidden.

        Parameters
        ----------
        on : pair of ndarray
            Hypotheses whose run would go on, and with which of `here`.
        lasting : ndarray, int64, shape (len(here),)
        """
        if self._options.novelty:
            uses = np.tile(
                [self._used.get(position, 0) for position in here.tolist()], (len(total), 1)
            )
            np.add.at(
                uses, _found(past.recent[:, -LAG + 1 :], here), 1
            )  # before them, it is in _used
            total += self._options.novelty * np.log2(1 + uses)
        if step in self._locked:
            return
        if np.isfinite(self._max_run):
            row, column = on
            over = past.run[row] + lasting[column] > self._max_run
            total[row[over], column[over]] = np.inf
            total[:, lasting > self._max_run] = np.inf  # of whole units; steps are split
        if self._reuse_samples:
            recent = self._within_reuse(step, past)
            shared = (recent == recent[0]).all(
                axis=0
            )  # all hypotheses but for the last steps go back to one
            total[:, _found(recent[:1, shared], here)[1]] = np.inf
            total[_found(recent[:, ~shared], here)] = np.inf
            if len(self._locked):
                total[:, np.isin(here, self._locked_soon(step))] = np.inf

    def _within_reuse(self, step: int, past: Past) -> np.ndarray:
        """`recent`, where a unit began less than min_reuse before this step, else REST."""
        first = max(step - self._window, 0)
        played = np.zeros(self._window, np.int64)
        played[self._window - (step - first) :] = self._lasting[first:step]
        if self._whole_units:
            played = np.where(past.recent == REST, played, self._units.n_samples[past.recent])
        ago = np.cumsum(played[..., ::-1], axis=-1)[
            ..., ::-1
        ]  # samples from the start of each to this step
        return np.where(ago < self._reuse_samples, past.recent, REST)

    def _locked_soon(self, step: int) -> np.ndarray:
        """Units that are locked less than min_reuse after this step begins; a whole unit counts as
        long as was asked for.
        """
        within = int(np.searchsorted(self._begins, self._begins[step] + self._reuse_samples))
        first, last = np.searchsorted(self._held[:, 0], (step + 1, within))
        return self._held[first:last, 1]

    def count_use(self, past: Past, best: int) -> None:
        """Count what the best hypothesis played `LAG` steps ago, and its neighbours in the source,
        as used once more.
        """
        if not self._options.novelty:
            return
        position = int(past.recent[best, -LAG])
        source = self._units.source
        for near in range(max(position - NEAR, 0), min(position + NEAR + 1, len(source))):
            if position != REST and source[near] == source[position]:
                self._used[near] = self._used.get(near, 0) + 1


def _found(values: np.ndarray, here: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Row in `values`, (n, m), and place in `here`, ascending, of every value that is there."""
    column = np.minimum(np.searchsorted(here, values), len(here) - 1)
    rows, places = np.nonzero(here[column] == values)
    return rows, column[rows, places]
