"""Patterns: in which order the levels of quantised steps enter an architecture.

A quantised step has a code for each level, and an architecture reads one thing after another. The
patterns of MusicGen (Copet et al. 2023, arXiv 2306.05284, figure 1), here with three levels; `t.k`
is level k of step t:

    parallel            delayed             flattened                   coarse-first, blocks of 3
    0.0 1.0 2.0 3.0     0.0 1.0 2.0 3.0     0.0  .   .  1.0  .   .      0.0 1.0 2.0  .   .   .
    0.1 1.1 2.1 3.1      .  0.1 1.1 2.1      .  0.1  .   .  1.1  .       .   .   .  0.1 1.1 2.1
    0.2 1.2 2.2 3.2      .   .  0.2 1.2      .   .  0.2  .   .  1.2      .   .   .  0.2 1.2 2.2

Each column is one step of the architecture, which answers with the next column.
"""

from functools import lru_cache

import numpy as np

from files.errors import ParameterError
from files.ranges import shown

NONE = -1  # where a level is empty
BLOCK = 16  # steps whose level 0 comes first, in the coarse-first pattern


class Pattern:
    """Base of the patterns.

    Attributes
    ----------
    delay : int
        Steps by which slow averages must lag, to be of whole steps only.
    whole_past : bool
        Whether all earlier steps are known whenever a level is forecast.
    block : int
        Steps that are arranged together. Blocks are counted from the end of the seed.
    """

    delay: int = 0
    whole_past: bool = True
    block: int = 1

    def __init__(self, levels: int) -> None:
        self.levels = levels

    def column(self, place: int) -> list[int | None]:
        """Return the step whose level k is at a place, for each k; None where that is empty.

        Places and steps are counted from 0 at the beginning of a block. Steps before it are
        negative.
        """
        raise NotImplementedError

    def step_at(self, place: int) -> int:
        """Return the latest step at a place, counted as in `column`."""
        return max(step for step in self.column(place) if step is not None)

    @lru_cache(maxsize=256)  # noqa: B019  a pattern lives as long as its head
    def places(self, n_steps: int, n_seed: int) -> np.ndarray:
        """Return the steps of a sequence of which the first `n_seed` are the seed.

        Returns
        -------
        ndarray, int64, shape (places, levels)
            Each level of each step is there once. `NONE` where a level is empty.
        """
        first = min(n_seed % self.block, n_steps)
        columns = [*_columns(self, first), *_columns(self, n_steps - first, after=first)]
        table = np.array(columns, np.int64).reshape(-1, self.levels)
        table.flags.writeable = False
        return table

    def inputs(self, n_steps: int, n_seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the places of an architecture's inputs, up to where step `n_steps` begins.

        Returns
        -------
        inputs, answers : ndarray, int64, shape (places, levels)
            As from `places`: what enters, and what is answered after it.
        """
        table = self.places(n_steps + 1, n_seed)
        begins = int(np.flatnonzero(table[:, 0] == n_steps)[0])
        return table[:begins], table[1 : begins + 1]


def _columns(pattern: Pattern, n_steps: int, *, after: int = 0) -> list[list[int]]:
    """Return the columns of `n_steps` steps, the first of which begins a block.

    `after` steps come before them.
    """
    left = n_steps * pattern.levels
    columns = []
    place = 0
    while left:
        steps = [NONE if step is None else step for step in pattern.column(place)]
        column = [after + step if 0 <= step < n_steps else NONE for step in steps]
        n_known = sum(step != NONE for step in column)
        if n_known:
            columns.append(column)
        left -= n_known
        place += 1
    return columns


class Parallel(Pattern):
    """All levels of a step at once."""

    def column(self, place: int) -> list[int | None]:
        return [place] * self.levels


class Delayed(Pattern):
    """Level k comes k steps late."""

    whole_past = False

    def __init__(self, levels: int) -> None:
        super().__init__(levels)
        self.delay = levels - 1

    def column(self, place: int) -> list[int | None]:
        return [place - level for level in range(self.levels)]


class Flattened(Pattern):
    """One level after the other: as many places as there are codes."""

    def __init__(self, levels: int) -> None:
        super().__init__(levels)
        self.delay = min(levels - 1, 1)

    def column(self, place: int) -> list[int | None]:
        step, now = divmod(place, self.levels)
        return [step if level == now else None for level in range(self.levels)]


class CoarseFirst(Pattern):
    """Level 0 of a block of steps, then all other levels of these steps."""

    delay = BLOCK
    whole_past = False
    block = BLOCK

    def column(self, place: int) -> list[int | None]:
        if self.levels == 1:
            return [place]
        block, place = divmod(place, 2 * BLOCK)
        step = block * BLOCK + place % BLOCK
        return [step if (level > 0) == (place >= BLOCK) else None for level in range(self.levels)]


PATTERNS: dict[str, type[Pattern]] = {
    "parallel": Parallel,
    "delayed": Delayed,
    "flattened": Flattened,
    "coarse-first": CoarseFirst,
}


def make_pattern(name: str, levels: int) -> Pattern:
    """Return a pattern by its name.

    Raises
    ------
    ParameterError
        If there is none of this name; the message lists them.
    """
    if not isinstance(name, str) or name not in PATTERNS:
        raise ParameterError(f"unknown pattern {shown(name)}; known are {', '.join(PATTERNS)}")
    return PATTERNS[name](levels)


def arrange(codes: np.ndarray, pattern: Pattern, *, empty: int) -> np.ndarray:
    """Arrange codes (steps, levels) in a pattern: (places, levels), `empty` where nothing is."""
    table = pattern.places(len(codes), len(codes))
    taken = np.take_along_axis(codes, np.maximum(table, 0), axis=0)
    return np.where(table == NONE, empty, taken)


def collect(arranged: np.ndarray, pattern: Pattern, n_steps: int) -> np.ndarray:
    """Take the codes (steps, levels) back out of a pattern (places, levels)."""
    table = pattern.places(n_steps, n_steps)
    codes = np.zeros((n_steps, pattern.levels), arranged.dtype)
    rows, levels = np.nonzero(table != NONE)
    codes[table[rows, levels], levels] = arranged[rows, levels]
    return codes
