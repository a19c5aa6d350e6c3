"""Units as points of a picture: principal components and clusters of their z-scored descriptors, a
block of units at a time.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import faiss
import numpy as np

from db.database import Database

BLOCK_UNITS = 1 << 16  # read at a time
CLUSTERS = 12
CLUSTER_SAMPLE = 20_000
CLUSTER_ROUNDS = 10
SPREAD = (0.5, 99.5)  # percentiles: what lies between them fills the picture
# of the way from the middle to the edge; what lies beyond those percentiles is squeezed into the
# rest
RIM = 0.85
SEED = 0

Check = Callable[[], None]  # called between blocks; raises to give up


@dataclass(frozen=True)
class Projection:
    """`xy` is float32, shape (2, n_units), within [-1, 1]; `clusters` uint8, shape (n_units,), the
    largest is 0.
    """

    xy: np.ndarray
    clusters: np.ndarray


def project(database: Database, check: Check) -> Projection:
    """Every unit's first two principal components, and its cluster.

    Raises
    ------
    DatabaseError
        If descriptors were damaged on disk.
    """
    n_units = database.n_units
    if not n_units:
        return Projection(np.empty((2, 0), np.float32), np.empty(0, np.uint8))
    mean, axes = principal_axes(database, check)
    centroids = find_centroids(database)
    xy = np.empty((n_units, 2), np.float32)
    clusters = np.empty(n_units, np.uint8)
    for span, scores in score_blocks(database, check):
        xy[span] = (scores - mean) @ axes
        clusters[span] = (0.5 * (centroids**2).sum(axis=1) - scores @ centroids.T).argmin(axis=1)
    return Projection(fit_square(xy), by_size(clusters))


def score_blocks(database: Database, check: Check) -> Iterator[tuple[slice, np.ndarray]]:
    """z-scored descriptors of all units, in order: where they are in `database.units`, and float32
    (units, n_descriptors).
    """
    for start in range(0, database.n_units, BLOCK_UNITS):
        check()
        span = slice(start, min(start + BLOCK_UNITS, database.n_units))
        yield span, database.normaliser.apply(database.rows_at(np.arange(span.start, span.stop)))


def principal_axes(database: Database, check: Check) -> tuple[np.ndarray, np.ndarray]:
    """Mean (d,) and the two directions of most variance (d, 2), each with its largest part
    positive, float32.
    """
    d = database.settings.n_descriptors
    total = np.zeros(d)
    products = np.zeros((d, d))
    for _, scores in score_blocks(database, check):
        total += scores.sum(axis=0, dtype=np.float64)
        products += scores.T @ scores
    mean = total / database.n_units
    _, vectors = np.linalg.eigh(products / database.n_units - np.outer(mean, mean))
    axes = np.zeros((d, 2))
    axes[:, : min(d, 2)] = vectors[:, ::-1][:, :2]  # eigh's last has the largest variance
    axes *= np.where(np.take_along_axis(axes, np.abs(axes).argmax(axis=0)[None], axis=0) < 0, -1, 1)
    return mean.astype(np.float32), axes.astype(np.float32)


def find_centroids(database: Database) -> np.ndarray:
    """Centres of at most `CLUSTERS` clusters by k-means on a sample, float32, (clusters, d)."""
    n_units = database.n_units
    chosen = np.random.default_rng(SEED).choice(
        n_units, min(CLUSTER_SAMPLE, n_units), replace=False
    )
    scores = database.normaliser.apply(database.rows_at(np.sort(chosen)))
    kmeans = faiss.Kmeans(
        scores.shape[1],
        min(CLUSTERS, len(scores)),
        niter=CLUSTER_ROUNDS,
        seed=SEED,
        min_points_per_centroid=1,
        max_points_per_centroid=CLUSTER_SAMPLE,
    )
    kmeans.train(scores)
    return np.asarray(kmeans.centroids)


def by_size(clusters: np.ndarray) -> np.ndarray:
    """The same clusters, numbered from the largest on, uint8."""
    order = np.argsort(-np.bincount(clusters, minlength=CLUSTERS), kind="stable")
    return np.argsort(order).astype(np.uint8)[clusters]


def fit_square(xy: np.ndarray) -> np.ndarray:
    """Points (n, 2) as x and y, float32, (2, n), within [-1, 1], alike in both directions; outliers
    lie in the rim.
    """
    low, high = np.percentile(xy, SPREAD, axis=0)
    half = max(float((high - low).max()) / 2, 1e-9)
    places = (xy - (low + high) / 2) * (RIM / half)
    beyond = np.abs(places) - RIM
    squeezed = np.where(
        beyond > 0,
        np.sign(places) * (1 - (1 - RIM) ** 2 / (1 - RIM + np.maximum(beyond, 0))),
        places,
    )
    return np.ascontiguousarray(squeezed.T, np.float32)
