"""Layouts of the map: principal components at once, UMAP ("quality") on request.

Both are computed in the background and kept on disk between runs.
"""

import multiprocessing
import threading
from concurrent.futures import CancelledError, Future
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from demiurge.web.map.landmarks import (
    LANDMARKS,
    LEAST_UNITS,
    choose_landmarks,
    compute_layout,
)
from demiurge.web.map.layout_files import layout_key, load_layout, save_layout
from demiurge.web.map.points import Projection, project
from demiurge.web.workspace import Workspace
from files.errors import DemiurgeError, ParameterError, install_command

NAMES = ("pca", "quality")
POLL_SECONDS = 0.2
NEEDS_UMAP = f"the quality layout needs UMAP; install it with: {install_command('map')}"
NEEDS_UNITS = f"the quality layout needs at least {LEAST_UNITS} units; add audio to the database"
DIED = (
    "its process ended early, most likely for lack of memory; the terminal that runs demiurge"
    " browse shows more"
)


@dataclass(frozen=True)
class LayoutState:
    """The state of a layout.

    Attributes
    ----------
    state : {"absent", "running", "ready", "failed", "unavailable"}
    done : float
        0 to 1.
    note : str
        The current stage, or the error.
    """

    state: str
    done: float = 0.0
    note: str = ""


class Layouts:
    """The layouts of a database; each change of state is published as an event "layout"."""

    def __init__(self, workspace: Workspace, *, n_landmarks: int = LANDMARKS) -> None:
        """Load the quality layout if it is on disk; compute nothing yet."""
        self._workspace = workspace
        self._database = workspace.database
        self._n_landmarks = n_landmarks
        self._key = layout_key(self._database)
        self._lock = threading.Lock()
        self._projection: Future[Projection] | None = None
        self._quality = self._load_quality()
        self._states = {"pca": LayoutState("absent"), "quality": self._first_state()}

    @property
    def _shape(self) -> tuple[int, int]:
        return 2, self._database.n_units

    def _load_quality(self) -> np.ndarray | None:
        found = load_layout(self._key, "quality", {"xy": self._shape})
        return found["xy"] if found else None

    def _first_state(self) -> LayoutState:
        """Return the initial state of the quality layout."""
        if self._quality is not None:
            return LayoutState("ready", 1.0)
        if self._database.n_units < LEAST_UNITS:
            return LayoutState("unavailable", note=NEEDS_UNITS)
        if not find_spec("umap"):
            return LayoutState("unavailable", note=NEEDS_UMAP)
        return LayoutState("absent")

    def states(self) -> dict[str, dict[str, Any]]:
        """Return the state of each layout by its name, for JSON."""
        return {name: asdict(state) for name, state in self._states.items()}

    def points(self, name: str, patience_seconds: float = 0) -> np.ndarray | None:
        """Return the points of a layout, None if they are not ready.

        If necessary, the principal components are started, and waited for up to `patience_seconds`.

        Returns
        -------
        ndarray, float32, shape (2, n_units), within [-1, 1], or None
        """
        if name == "quality":
            return self._quality
        projection = self._wait(patience_seconds)
        return projection.xy if projection else None

    def clusters(self, patience_seconds: float = 0) -> np.ndarray | None:
        """Return the cluster of each unit, uint8, (n_units,); None if they are not ready."""
        projection = self._wait(patience_seconds)
        return projection.clusters if projection else None

    def _wait(self, seconds: float) -> Projection | None:
        try:
            return self.start_pca().result(seconds)
        except TimeoutError:
            return None

    def start_pca(self) -> "Future[Projection]":
        """Start computing principal components and clusters, on the first call.

        The future raises a `DatabaseError` if descriptors are damaged on disk.
        """
        with self._lock:
            if self._projection is None:
                self._projection = self._workspace.executor.submit(self._make_pca)
            return self._projection

    def start_quality(self) -> None:
        """Start computing the quality layout, unless it is ready or running.

        Raises
        ------
        ParameterError
            If UMAP is not installed or there are too few units.
        """
        with self._lock:
            state = self._states["quality"]
            if state.state == "unavailable":
                raise ParameterError(state.note)
            if state.state in ("running", "ready"):
                return
            self._states["quality"] = LayoutState("running", note="starting")
        threading.Thread(target=self._make_quality, name="quality layout").start()

    def _make_pca(self) -> Projection:
        self._set_state("pca", LayoutState("running"))
        shapes = {"xy": self._shape, "clusters": self._shape[1:]}
        found = load_layout(self._key, "pca", shapes)
        if found:
            self._set_state("pca", LayoutState("ready", 1.0))
            return Projection(**found)
        try:
            projection = project(self._database, self._workspace.check_open)
        except DemiurgeError as error:
            self._set_state("pca", LayoutState("failed", note=str(error)))
            raise
        self._set_state("pca", LayoutState("ready", 1.0))
        save_layout(self._key, "pca", {"xy": projection.xy, "clusters": projection.clusters})
        return projection

    def _make_quality(self) -> None:
        try:
            quality = self._run_process(self.start_pca().result())
        except (DemiurgeError, EOFError, CancelledError, OSError, RuntimeError) as error:
            self._set_state("quality", LayoutState("failed", note=str(error) or DIED))
            return
        self._quality = quality
        self._set_state("quality", LayoutState("ready", 1.0))
        save_layout(self._key, "quality", {"xy": quality})

    def _run_process(self, projection: Projection) -> np.ndarray:
        """Compute the quality layout in a process that ends with this call.

        Raises
        ------
        EOFError
            If the process dies.
        """
        chosen = choose_landmarks(projection.clusters, self._n_landmarks)
        first = projection.xy[:, chosen].T.copy()
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe(duplex=False)
        arguments = (self._workspace.files, self._key, chosen, first, theirs)
        process = context.Process(target=compute_layout, args=arguments, daemon=True)
        process.start()
        theirs.close()
        try:
            return self._receive(ours)
        except EOFError:
            self._workspace.check_open()  # closing the workspace kills all processes
            raise
        finally:
            process.terminate()
            process.join()
            ours.close()

    def _receive(self, connection: Connection) -> np.ndarray:
        """Publish the progress of the process until it sends its result."""
        while True:
            self._workspace.check_open()
            if not connection.poll(POLL_SECONDS):
                continue
            message = connection.recv()
            if isinstance(message, np.ndarray):
                return message
            if isinstance(message, DemiurgeError):
                raise message
            self._set_state("quality", LayoutState("running", *message))

    def _set_state(self, name: str, state: LayoutState) -> None:
        self._states[name] = state
        self._workspace.events.publish("layout", {"name": name, **asdict(state)})
