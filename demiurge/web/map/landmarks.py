"""The quality layout: UMAP of some units, the landmarks, with all others placed among them.

McInnes, Healy and Melville 2018, arXiv 1802.03426. UMAP takes an hour for a million units, but half
a minute for 4000. All other units are placed between the landmarks with the most similar
descriptors.
`compute_layout` runs in a process of its own.
"""

import contextlib
import io
import re
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection

import faiss
import numpy as np

from audio.librosa_import import give_numba_a_folder
from db.database import Database
from demiurge.reopen import DatabaseFiles
from demiurge.web.map.layout_files import layout_key
from demiurge.web.map.points import RANDOM_SEED, fit_square, score_blocks
from demiurge.web.signals import ignore_terminal_signals
from files.errors import DatabaseError, DemiurgeError

LANDMARKS = 4000  # UMAP compares every pair of fewer than 4096 exactly
LEAST_UNITS = 16
NEIGHBOURS = 15  # of each unit, whose distances UMAP preserves
EPOCHS = 400
MIN_DISTANCE = 0.4  # UMAP's, between similar landmarks: far enough to point at each
FIRST_WIDTH = 3.0  # half width of the initial places; if wider, similar groups stay far apart
NEAREST = 5  # landmarks that a unit is placed between
REACH = 0.1  # in picture widths: landmarks farther than this from the nearest one do not count
JITTER = 0.004
STARTED = 0.1  # progress when UMAP begins
EMBEDDED = 0.7  # progress when UMAP is done

Progress = Callable[[float, str], None]  # share done, 0 to 1, and current stage


def compute_layout(
    files: DatabaseFiles, key: str, positions: np.ndarray, first: np.ndarray, connection: Connection
) -> None:
    """Compute the layout of a database in a process of its own.

    It sends (done, note) as progress, then the points, float32, (2, n_units), or a `DemiurgeError`.

    Parameters
    ----------
    files : DatabaseFiles
        Where the database is.
    key : str
        Its `layout_key`.
    positions : ndarray, int64, shape (landmarks,)
        Of the landmarks.
    first : ndarray, float32, shape (landmarks, 2)
        Their initial places, from which UMAP starts.
    """
    ignore_terminal_signals()
    try:
        connection.send(_points(files, key, positions, first, lambda *done: connection.send(done)))
    except DemiurgeError as error:
        connection.send(error)


def _points(
    files: DatabaseFiles, key: str, positions: np.ndarray, first: np.ndarray, progress: Progress
) -> np.ndarray:
    progress(0.0, "starting UMAP, which is compiled first: half a minute")
    database = files.open()
    if layout_key(database) != key:
        raise DatabaseError(f"{database.path} has changed; start demiurge browse again")
    scores = database.normaliser.apply(database.rows_at(positions))
    return place_all(database, scores, embed(scores, first, progress), progress)


def choose_landmarks(clusters: np.ndarray, n_landmarks: int = LANDMARKS) -> np.ndarray:
    """Return the positions of at most `n_landmarks` units, ascending.

    Small clusters get more than their share, so that rare sounds have landmarks as well.
    """
    if len(clusters) <= n_landmarks:
        return np.arange(len(clusters))
    sizes = np.bincount(clusters)
    wanted = np.sqrt(sizes) * n_landmarks / np.sqrt(sizes).sum()
    rng = np.random.default_rng(RANDOM_SEED)
    members = [np.flatnonzero(clusters == cluster) for cluster in range(len(sizes))]
    chosen = [
        rng.choice(own, min(int(n), len(own)), replace=False)
        for own, n in zip(members, wanted, strict=True)
    ]
    return np.sort(np.concatenate(chosen))


def embed(scores: np.ndarray, first: np.ndarray, progress: Progress) -> np.ndarray:
    """Run UMAP on z-scored descriptors (n, d) from first places (n, 2); float32, (n, 2)."""
    give_numba_a_folder()
    from tqdm.auto import tqdm
    from umap import UMAP

    # tqdm's own lock is shared between processes and stays locked if one is killed
    tqdm.set_lock(threading.RLock())

    def on_epoch(share: float) -> None:
        progress(STARTED + (EMBEDDED - STARTED) * share, "arranging landmarks")

    umap = UMAP(
        n_neighbors=min(NEIGHBOURS, len(scores) - 1),
        n_epochs=EPOCHS,
        init=FIRST_WIDTH * first,
        min_dist=MIN_DISTANCE,
        random_state=RANDOM_SEED,
        n_jobs=1,
        verbose=True,
        tqdm_kwds={
            "file": _EpochParser(on_epoch),
            "bar_format": "{n_fmt}/{total_fmt} ",
            "disable": False,
        },
    )
    with contextlib.redirect_stdout(io.StringIO()):  # UMAP prints its own settings
        return umap.fit_transform(scores)


class _EpochParser(io.StringIO):
    """A file object that parses UMAP's progress bar and reports the share of epochs done."""

    def __init__(self, on_epoch: Callable[[float], None]) -> None:
        super().__init__()
        self._on_epoch = on_epoch

    def write(self, text: str) -> int:
        if found := re.search(r"(\d+)/(\d+) ", text):
            self._on_epoch(int(found[1]) / int(found[2]))
        return len(text)


def place_all(
    database: Database, scores: np.ndarray, places: np.ndarray, progress: Progress
) -> np.ndarray:
    """Place every unit among the landmarks, float32, (2, n_units).

    The landmarks have z-scores (landmarks, d) and places (landmarks, 2).
    """
    index = faiss.IndexFlatL2(scores.shape[1])
    index.add(scores)
    reach = REACH * float(np.ptp(places, axis=0).max())
    jitter = JITTER * np.ptp(places)
    rng = np.random.default_rng(RANDOM_SEED)
    xy = np.empty((database.n_units, 2), np.float32)
    for block, rows in score_blocks(database, lambda: None):
        squared, nearest = index.search(rows, min(NEAREST, len(scores)))
        xy[block] = place(np.sqrt(squared), places[nearest], reach)
        is_other = squared[:, :1] > 0  # landmarks themselves stay where UMAP put them
        xy[block] += jitter * rng.standard_normal((len(rows), 2)) * is_other
        progress(EMBEDDED + (1 - EMBEDDED) * block.stop / database.n_units, "placing all units")
    return fit_square(xy)


def place(distances: np.ndarray, places: np.ndarray, reach: float) -> np.ndarray:
    """Place units between their landmarks, nearest first: (n, k), (n, k, 2) -> (n, 2).

    Landmarks farther than `reach` from the nearest do not count, so that no unit lies in the empty
    space between two groups.
    """
    weights = 1 / (distances + 1e-3) ** 2
    weights *= np.linalg.norm(places - places[:, :1], axis=2) <= reach
    return (weights[..., None] * places).sum(axis=1) / weights.sum(axis=1, keepdims=True)
