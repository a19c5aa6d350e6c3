"""FAISS indexes that propose candidates, by kind.

flat   IndexFlat: every vector is compared; exact
ivf    IndexIVFFlat: only the vectors in the cells nearest to the query are compared; nearly exact
pq     IndexIVFPQFastScan: as ivf, with vectors compressed to 4 bits per descriptor and compared in
       registers; fastest and smallest, and exact enough for proposals (André et al. 2015, VLDB
       9(4))

`query.index` measures proposals again exactly, so an approximate kind may miss a unit but never
misstates its distance. On 1.3 million units of real music, pq with the defaults finds 97 % of the
32 nearest units, 70 times as fast as comparing them all.
"""

from typing import Any

import faiss
import numpy as np

from files.errors import ParameterError
from files.ranges import shown
from query.metrics import Metric
from query.names import AUTO, INDEX_KINDS

FLAT_UNITS = 500_000  # "auto" compares every unit up to this many
PQ_WIDTH = 16  # narrower vectors lose too much at 4 bits per descriptor
PQ_LEVELS = 16  # of each descriptor: 4 bits
GPU_BYTES = 4 << 30  # most bytes of vectors to put on a GPU, which compares them all
GPU_MOST = 2048  # most results per query that FAISS returns on a GPU
MANY_UNITS = 1 << 21  # beyond, there are more cells, of which a smaller share is searched
# one cell in PROBED is searched, but at least LEAST_PROBED cells
PROBED = 16
LEAST_PROBED = 16
PROBED_ROOT = 2.5  # of many cells: so many times the square root of their number
TRAINED = 64  # vectors per cell in the sample from which the cells are found
ROUNDS = 10  # of k-means
# pq: levels are found within so many standard deviations of each descriptor; beyond FAR of them,
# a level would take the precision of all others
WITHIN = 5.0
FAR = 12.0
SPARE = 8  # flat, ivf: proposals beyond k, so that rounding cannot push out a true neighbour
# pq: proposals per neighbour wanted, the least number of proposals, and the power of the number of
# units by which both grow if there are many
COMPRESSED = 3
LEAST_COMPRESSED = 192
COMPRESSED_GROWTH = 0.2
# from cells that were found with other weights: least number of proposals, and by how much more of
# many cells are searched
OTHER_SPACE = 3072
OTHER_CELLS = 2


def choose_kind(
    kind: str, metric: Metric, n_units: int, width: int, *, flat_units: int = FLAT_UNITS
) -> str:
    """Return the kind of index to use.

    "auto" is the exact kind for up to `flat_units`, else the fastest that the metric allows.

    Raises
    ------
    ParameterError
        If FAISS has no index of that kind for the metric.
    """
    if kind not in (AUTO, *INDEX_KINDS):
        raise ParameterError(f"index={shown(kind)} must be one of {AUTO}, {', '.join(INDEX_KINDS)}")
    if kind == "pq" and not metric.euclidean:
        raise ParameterError(
            f"index=pq cannot measure {metric}: FAISS compresses for l2 and cosine only; use ivf or"
            " flat"
        )
    if kind != AUTO:
        return kind
    if n_units <= flat_units or (faiss.get_num_gpus() and 4 * width * n_units <= GPU_BYTES):
        return "flat"
    return "pq" if metric.euclidean and width >= PQ_WIDTH else "ivf"


def n_proposals(kind: str, k: int, n_units: int) -> int:
    """Return the number of proposals to ask for so that they include the k nearest.

    Of many units, more are alike once they are compressed.
    """
    if kind != "pq":
        return k + SPARE
    growth = max(n_units / MANY_UNITS, 1) ** COMPRESSED_GROWTH
    return round(growth * max(COMPRESSED * k, LEAST_COMPRESSED))


def make_flat(metric: Metric, width: int) -> faiss.Index:
    index = faiss.IndexFlat(width, metric.faiss_metric)
    if metric.name == "lp":
        index.metric_arg = metric.order
    return index


def on_gpu(index: faiss.Index) -> faiss.Index:
    """Move a flat index to the GPUs, if there are any and it fits; else return it unchanged."""
    fits = 4 * index.d * index.ntotal <= GPU_BYTES
    return faiss.index_cpu_to_all_gpus(index) if faiss.get_num_gpus() and fits else index


def n_cells(n_units: int) -> int:
    """Return the power of two nearest to √n_units; of many units 2 √n_units.

    A step is compared with about n_units^0.75 of many units: the cells searched grow with the
    square root of their number, and what they hold with the square root of the units.
    """
    if n_units < MANY_UNITS:
        return 2 ** max(round(np.log2(n_units) / 2), 0)
    return round(2 * np.sqrt(n_units))


def n_probed(cells: int, n_units: int, share: float = 1.0) -> int:
    """Return the number of cells to search for a step.

    Parameters
    ----------
    cells : int
        About √n_units, as for few units and by earlier versions, or more.
    share : float
        Share of the units that may be proposed.
    """
    most = max(cells // PROBED, LEAST_PROBED)
    if cells * cells < 3 * n_units:
        return most
    return min(most, round(PROBED_ROOT * np.sqrt(cells) / share))


def make_cells(kind: str, metric: Metric, sample: np.ndarray, n_units: int) -> faiss.Index:
    """Make an empty "ivf" or "pq" index for about `n_units` vectors.

    Its cells are found in `sample`, some of these vectors, shape (rows, width).
    """
    cells = n_cells(n_units)
    width = sample.shape[1]
    coarse = make_flat(metric, width)
    index: Any
    if kind == "pq":
        index = faiss.IndexIVFPQFastScan(coarse, width, cells, width, 4)
    else:
        index = faiss.IndexIVFFlat(coarse, width, cells, metric.faiss_metric)
        if metric.name == "lp":
            index.metric_arg = metric.order  # FAISS does not pass it on
    index.cp.niter = ROUNDS
    index.cp.max_points_per_centroid = TRAINED
    index.cp.min_points_per_centroid = 1
    if kind == "pq":
        index.pq.cp.min_points_per_centroid = 1  # keeps FAISS from warning about few vectors
    index.train(sample)
    if kind == "pq":
        _find_levels(index, sample, n_units)
    return index


def _find_levels(index: Any, sample: np.ndarray, n_units: int) -> None:
    """Find the levels of the descriptors again if there are many units, or far levels.

    Distances to all levels of all descriptors are rounded to steps of one size, so that a single
    level far from all others makes what is near indistinguishable.
    """
    mean = sample.mean(axis=0)
    deviation = sample.std(axis=0)
    levels = faiss.vector_to_array(index.pq.centroids).reshape(index.d, PQ_LEVELS).T
    if n_units >= MANY_UNITS or (np.abs(levels - mean) > FAR * deviation.max()).any():
        index.pq.cp.max_points_per_centroid = len(sample)
        index.pq.train(np.clip(sample, mean - WITHIN * deviation, mean + WITHIN * deviation))


def search_cells(
    index: Any,
    vectors: np.ndarray,
    n: int,
    *,
    enough: int,
    allowed: np.ndarray | None,
    share: float = 1.0,
) -> np.ndarray:
    """Return the unit ids proposed for each vector, int64, (rows, n), filled up with -1.

    Parameters
    ----------
    enough : int
        Least number of proposals; if the nearest cells hold fewer, more cells are searched.
    allowed : ndarray, uint8, optional
        A bit for each unit id, the lowest first: only units whose bit is set are proposed.
    share : float
        Their share of all units.
    """
    selector = {} if allowed is None else {"sel": faiss.IDSelectorBitmap(allowed)}  # type: ignore[arg-type,call-arg]
    found = np.full((len(vectors), n), -1, np.int64)
    probed = n_probed(index.nlist, index.ntotal, share)
    short = np.arange(len(vectors))
    while len(short):
        parameters = faiss.SearchParametersIVF(nprobe=min(probed, index.nlist), **selector)  # type: ignore[call-arg]
        _, found[short] = index.search(vectors[short], n, params=parameters)
        if probed >= index.nlist:
            break
        short = short[found[short, enough - 1] < 0]
        probed = probed * 4
    return found
