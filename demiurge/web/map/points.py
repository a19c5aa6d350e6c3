"""Principal components and clusters of all units, computed a block of units at a time.

Both are of z-scored descriptors.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import faiss
import numpy as np

from db.database import Database

BLOCK_UNITS = 1 << 16  # read at a time
CLUSTERS = 12
CLUSTER_SAMPLE = 20_000  # units given to k-means
CLUSTER_ROUNDS = 10
SPREAD = (0.5, 99.5)  # percentiles; points between them fill the picture up to the rim
RIM = 0.85  # from middle (0) to edge (1); outliers are squeezed into the rest
RANDOM_SEED = 0

Check = Callable[[], None]  # called between blocks; raises to stop


@dataclass(frozen=True)
class Projection:
    """Every unit's place and cluster.

    Attributes
    ----------
    xy : ndarray, float32, shape (2, n_units), within [-1, 1]
    clusters : ndarray, uint8, shape (n_units,)
        0 is the largest.
    """

    xy: np.ndarray
    clusters: np.ndarray


def project(database: Database, check: Check, block_units: int = BLOCK_UNITS) -> Projection:
    """Compute every unit's first two principal components, and its cluster.

    Raises
    ------
    DatabaseError
        If descriptors are damaged on disk.
    """
    n_units = database.n_units
    if not n_units:
        return Projection(np.empty((2, 0), np.float32), np.empty(0, np.uint8))
    mean, axes = principal_axes(database, check, block_units)
    centroids = find_centroids(database)
    half_norms = 0.5 * (centroids**2).sum(axis=1)
    xy = np.empty((n_units, 2), np.float32)
    clusters = np.empty(n_units, np.uint8)
    for block, scores in score_blocks(database, check, block_units):
        xy[block] = (scores - mean) @ axes
        clusters[block] = (half_norms - scores @ centroids.T).argmin(axis=1)
    return Projection(fit_square(xy), by_size(clusters))


def score_blocks(
    database: Database, check: Check, block_units: int = BLOCK_UNITS
) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield blocks of units: their slice of `Database.units`, and their z-scored descriptors."""
    for start in range(0, database.n_units, block_units):
        check()
        stop = min(start + block_units, database.n_units)
        yield (
            slice(start, stop),
            database.normaliser.apply(database.rows_at(np.arange(start, stop))),
        )


def principal_axes(
    database: Database, check: Check, block_units: int = BLOCK_UNITS
) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean (d,) and the two directions of most variance (d, 2), float32.

    The largest component of each direction is positive.
    """
    d = database.settings.n_descriptors
    total = np.zeros(d)
    products = np.zeros((d, d))
    for _, scores in score_blocks(database, check, block_units):
        total += scores.sum(axis=0, dtype=np.float64)
        products += scores.T @ scores
    mean = total / database.n_units
    _, vectors = np.linalg.eigh(products / database.n_units - np.outer(mean, mean))
    axes = np.zeros((d, 2))
    axes[:, : min(d, 2)] = vectors[:, ::-1][:, :2]  # eigh sorts by rising variance
    largest = np.take_along_axis(axes, np.abs(axes).argmax(axis=0)[None], axis=0)
    axes *= np.where(largest < 0, -1, 1)
    return mean.astype(np.float32), axes.astype(np.float32)


def find_centroids(database: Database) -> np.ndarray:
    """Return the centres of at most `CLUSTERS` clusters, float32, (clusters, d).

    They come from k-means on a random sample of the units.
    """
    n_units = database.n_units
    rng = np.random.default_rng(RANDOM_SEED)
    chosen = rng.choice(n_units, min(CLUSTER_SAMPLE, n_units), replace=False)
    scores = database.normaliser.apply(database.rows_at(np.sort(chosen)))
    kmeans = faiss.Kmeans(
        scores.shape[1],
        min(CLUSTERS, len(scores)),
        niter=CLUSTER_ROUNDS,
        seed=RANDOM_SEED,
        min_points_per_centroid=1,
        max_points_per_centroid=CLUSTER_SAMPLE,
    )
    kmeans.train(scores)
    return np.asarray(kmeans.centroids)


def by_size(clusters: np.ndarray) -> np.ndarray:
    """Renumber clusters from the largest to the smallest, uint8."""
    order = np.argsort(-np.bincount(clusters, minlength=CLUSTERS), kind="stable")
    return np.argsort(order).astype(np.uint8)[clusters]


def fit_square(xy: np.ndarray) -> np.ndarray:
    """Scale points (n, 2) to x and y within [-1, 1], float32, (2, n).

    Both axes have one scale; outliers lie in the rim.
    """
    low, high = np.percentile(xy, SPREAD, axis=0)
    half = max(float((high - low).max()) / 2, 1e-9)
    places = (xy - (low + high) / 2) * (RIM / half)
    beyond = np.abs(places) - RIM
    width = 1 - RIM
    squeezed = np.sign(places) * (1 - width**2 / (width + np.maximum(beyond, 0)))
    return np.ascontiguousarray(np.where(beyond > 0, squeezed, places).T, np.float32)
