"""Move joins to where the frames of both sources are most alike.

    source of a:  … f f f f f f f f|f f …        both sides of a join may be moved by up to a
    source of b:  … f f f|f f f f f f …          quarter of a second, and by half a unit

Units are a quarter of a second and more; the best place to leave one source for another lies
between their ends. It is searched among frames: what came before and what comes after shall sound
alike.
"""

from dataclasses import dataclass

import numpy as np

from query.space import LEVEL_COLUMNS, Space

REACH_SECONDS = 0.25
BEFORE_SECONDS = 0.3  # compared before the join
AFTER_SECONDS = 0.07  # and after it
SHIFT = 0.1  # cost of a shift by the whole reach, as a share of the mean distance


@dataclass(frozen=True)
class Join:
    """A moved join: samples by which the first unit ends later, and the second begins later."""

    end_shift: int
    start_shift: int


def refine_join(space: Space, before: int, after: int) -> Join:
    """Return how to move the join of two units, given by their positions.

    Both stay where they are if the database does not hold the frames, or a source is too short.
    """
    database = space.database
    units = database.units
    hop = database.hop_length
    n_before = max(round(BEFORE_SECONDS * database.sample_rate / hop), 1)
    n_after = max(round(AFTER_SECONDS * database.sample_rate / hop), 1)
    end = units.start_sample[before] + units.n_samples[before]
    start = units.start_sample[after]
    reach = min(
        round(REACH_SECONDS * database.sample_rate),
        int(units.n_samples[before]) // 2,
        int(units.n_samples[after]) // 2,
    )
    reach //= hop
    outgoing = _frames_around(space, before, end // hop, reach + n_before, reach + n_after)
    incoming = _frames_around(space, after, start // hop, reach + n_before, reach + n_after)
    if not reach or outgoing is None or incoming is None:
        return Join(0, 0)
    cost = _distances(outgoing, incoming, n_before + n_after)
    shifts = np.abs(np.arange(-reach, reach + 1)) / reach
    cost = cost + SHIFT * cost.mean() * (shifts[:, None] + shifts) / 2
    row, column = np.unravel_index(int(cost.argmin()), cost.shape)
    return Join((int(row) - reach) * hop, (int(column) - reach) * hop)


def _frames_around(
    space: Space, position: int, frame: int, n_before: int, n_after: int
) -> np.ndarray | None:
    """Return the frames around one of a unit's source, z-scored and weighted; None at its ends."""
    database = space.database
    names = database.settings.frame_names
    number = int(database.units.source[position])
    rows = database.frames_between(number, frame - n_before, frame + n_after)
    if rows is None:
        return None
    keep = np.array([name not in LEVEL_COLUMNS for name in names], np.float32)
    scale = keep * space.factors[: len(names)] / database.normaliser.std[: len(names)]
    return (rows - database.normaliser.mean[: len(names)]) * scale


def _distances(outgoing: np.ndarray, incoming: np.ndarray, n_compared: int) -> np.ndarray:
    """Return the mean squared distance of each `n_compared` frames in a row from each others."""
    squares = (outgoing**2).sum(axis=1)[:, None] + (incoming**2).sum(axis=1)
    squares -= 2 * outgoing @ incoming.T
    n = len(outgoing) - n_compared + 1
    total = np.zeros((n, n))
    for offset in range(n_compared):
        total += squares[offset : offset + n, offset : offset + n]
    return total / n_compared
