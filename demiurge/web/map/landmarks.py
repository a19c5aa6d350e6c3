"""A picture in which sounds that are alike are neighbours: UMAP of some units, the landmarks, and
all others among them.

McInnes, Healy and Melville 2018, arXiv 1802.03426. UMAP of a million units takes an hour, of 4000
half a minute; every other unit then lies where those landmarks are whose descriptors are nearest to
its own. A process of its own does it: `draw`.
"""

import contextlib
import io
import re
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import faiss
import numpy as np

from audio.librosa_import import give_numba_a_folder
from db.database import Database
from demiurge.web.map.layout_files import layout_key
from demiurge.web.map.points import SEED, fit_square, score_blocks
from demiurge.web.signals import leave_to_server
from files.errors import DatabaseError, DemiurgeError

LANDMARKS = 4000  # UMAP compares every pair of fewer than 4096 exactly
LEAST_UNITS = 16
NEIGHBOURS = 15  # whose distances UMAP keeps
EPOCHS = 400
MIN_DISTANCE = (
    0.4  # between landmarks that are alike, in units of the usual one: room to point at each
)
# from the middle to the edge of the first places; wider, and far groups are never drawn near
FIRST_WIDTH = 3.0
NEAREST = 5  # landmarks that a unit lies among
REACH = 0.1  # of the picture's width: landmarks farther than this from the nearest one do not count
JITTER = 0.004
# shares of the time by which UMAP begins and ends
STARTED = 0.1
EMBEDDED = 0.7

Tell = Callable[[float, str], None]  # how much is done, 0 to 1, and what is being done


def draw(
    path: Path, key: str, positions: np.ndarray, first: np.ndarray, connection: Connection
) -> None:
    """The process: sends (done, what) as it goes on, and at last the points, float32, (2, n_units),
    or a `DemiurgeError`.

    Parameters
    ----------
    path : Path
        The database.
    key : str
        Its `layout_key`.
    positions : ndarray, int64, shape (landmarks,)
    first : ndarray, float32, shape (landmarks, 2)
        Where the landmarks are to begin with.
    """
    leave_to_server()
    try:
        connection.send(_points(path, key, positions, first, lambda *done: connection.send(done)))
    except DemiurgeError as error:
        connection.send(error)


def _points(
    path: Path, key: str, positions: np.ndarray, first: np.ndarray, tell: Tell
) -> np.ndarray:
    tell(0.0, "starting UMAP, which is compiled first: half a minute")
    database = Database(path)
    if layout_key(database) != key:
        raise DatabaseError(f"{path} has changed; start demiurge browse again")
    scores = database.normaliser.apply(database.rows_at(positions))
    return place_all(database, scores, embed(scores, first, tell), tell)


def choose_landmarks(clusters: np.ndarray) -> np.ndarray:
    """Positions of at most `LANDMARKS` units, ascending; of a rare cluster a larger share, so that
    rare sounds have some.
    """
    if len(clusters) <= LANDMARKS:
        return np.arange(len(clusters))
    sizes = np.bincount(clusters)
    wanted = np.sqrt(sizes) * LANDMARKS / np.sqrt(sizes).sum()
    rng = np.random.default_rng(SEED)
    members = [np.flatnonzero(clusters == cluster) for cluster in range(len(sizes))]
    chosen = [
        rng.choice(own, min(int(n), len(own)), replace=False)
        for own, n in zip(members, wanted, strict=True)
    ]
    return np.sort(np.concatenate(chosen))


def embed(scores: np.ndarray, first: np.ndarray, tell: Tell) -> np.ndarray:
    """UMAP of z-scored descriptors (n, d) from first places (n, 2), float32, (n, 2)."""
    give_numba_a_folder()
    from tqdm.auto import tqdm
    from umap import UMAP

    tqdm.set_lock(
        threading.RLock()
    )  # its own spans processes, and is left behind by one that is ended
    epochs = _Epochs(
        lambda share: tell(STARTED + (EMBEDDED - STARTED) * share, "arranging landmarks")
    )
    umap = UMAP(
        n_neighbors=min(NEIGHBOURS, len(scores) - 1),
        n_epochs=EPOCHS,
        init=FIRST_WIDTH * first,
        min_dist=MIN_DISTANCE,
        random_state=SEED,
        n_jobs=1,
        verbose=True,
        tqdm_kwds={"file": epochs, "bar_format": "{n_fmt}/{total_fmt} ", "disable": False},
    )
    with contextlib.redirect_stdout(io.StringIO()):  # what it says of itself
        return umap.fit_transform(scores)


class _Epochs(io.StringIO):
    """Takes UMAP's progress bar, and tells which share of its epochs is done."""

    def __init__(self, tell: Callable[[float], None]) -> None:
        super().__init__()
        self._tell = tell

    def write(self, text: str) -> int:
        if found := re.search(r"(\d+)/(\d+) ", text):
            self._tell(int(found[1]) / int(found[2]))
        return len(text)


def place_all(database: Database, scores: np.ndarray, places: np.ndarray, tell: Tell) -> np.ndarray:
    """Every unit among landmarks with these z-scores (landmarks, d) and places (landmarks, 2),
    float32, (2, n_units).
    """
    index = faiss.IndexFlatL2(scores.shape[1])
    index.add(scores)
    reach = REACH * float(np.ptp(places, axis=0).max())
    rng = np.random.default_rng(SEED)
    xy = np.empty((database.n_units, 2), np.float32)
    for span, rows in score_blocks(database, lambda: None):
        squared, nearest = index.search(rows, min(NEAREST, len(scores)))
        xy[span] = place(np.sqrt(squared), places[nearest], reach)
        xy[span] += (
            JITTER * np.ptp(places) * rng.standard_normal((len(rows), 2)) * (squared[:, :1] > 0)
        )
        tell(EMBEDDED + (1 - EMBEDDED) * span.stop / database.n_units, "placing all units")
    return fit_square(xy)


def place(distances: np.ndarray, places: np.ndarray, reach: float) -> np.ndarray:
    """A point among its landmarks, the nearest first: distances (n, k), places (n, k, 2) -> (n, 2).

    Between two that lie far apart in the picture there is nothing: those that are not near the
    first do not count.
    """
    weights = 1 / (distances + 1e-3) ** 2
    weights *= np.linalg.norm(places - places[:, :1], axis=2) <= reach
    return (weights[..., None] * places).sum(axis=1) / weights.sum(axis=1, keepdims=True)
