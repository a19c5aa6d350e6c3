"""Variety of generated clips, and distance from the recorded ones."""

from dataclasses import asdict, dataclass

import numpy as np

from files.errors import ParameterError

NEAR = 5  # percentile; unlike the least distance, it hardly depends on the number of clips
LEAST_SPREAD = 1e-9  # below this, all clips count as alike


@dataclass(frozen=True)
class Diversity:
    """Cosine distances between clips, each the mean of its windows' embeddings.

    `spread` is the mean distance between two generated clips, `recorded_spread` between two
    recorded ones: a ratio near 0 means mode collapse. `nearest` and `closest` are the mean and the
    least distance from a generated clip to the nearest recorded one, `near` is the 5th percentile;
    `recorded_nearest`, `recorded_closest` and `recorded_near` are those from a recorded clip to the
    nearest other one. If the former are far smaller than the latter, the generator memorises.
    """

    spread: float
    recorded_spread: float
    nearest: float
    recorded_nearest: float
    closest: float
    recorded_closest: float
    near: float
    recorded_near: float

    @property
    def spread_ratio(self) -> float:
        return self.spread / self.recorded_spread

    def to_dict(self) -> dict[str, float]:
        return {**asdict(self), "spread_ratio": self.spread_ratio}


def diversity(generated: np.ndarray, recorded: np.ndarray) -> Diversity:
    """Compare the distances within two sets of clips with those between them.

    Parameters
    ----------
    generated : ndarray, shape (n >= 2, d)
    recorded : ndarray, shape (m >= 2, d)
        One embedding a row.

    Raises
    ------
    ParameterError
        If all recorded clips are alike.
    """
    among_generated = cosine_distances(generated, generated)
    between = cosine_distances(generated, recorded)
    among_recorded = cosine_distances(recorded, recorded)
    recorded_spread = _mean_of_pairs(among_recorded)
    if recorded_spread < LEAST_SPREAD:
        raise ParameterError(
            "the recorded clips are all alike, so diversity cannot be measured; give more"
            " varied ones"
        )
    np.fill_diagonal(among_recorded, np.inf)
    nearest = between.min(axis=1)
    recorded_nearest = among_recorded.min(axis=1)
    return Diversity(
        spread=_mean_of_pairs(among_generated),
        recorded_spread=recorded_spread,
        nearest=float(nearest.mean()),
        recorded_nearest=float(recorded_nearest.mean()),
        closest=float(nearest.min()),
        recorded_closest=float(recorded_nearest.min()),
        near=float(np.percentile(nearest, NEAR)),
        recorded_near=float(np.percentile(recorded_nearest, NEAR)),
    )


def cosine_distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return 1 - cosine of the angle of each row of (n, d) with each of (m, d): (n, m), 0 to 2."""
    return (1 - _unit_rows(a) @ _unit_rows(b).T).clip(0, 2)


def _unit_rows(rows: np.ndarray) -> np.ndarray:
    rows = rows.astype(np.float64)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True).clip(1e-12)


def _mean_of_pairs(distances: np.ndarray) -> float:
    return float(distances[np.triu_indices(len(distances), k=1)].mean())
