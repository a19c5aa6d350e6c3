"""Where every unit lies on the map: "pca" at once, "quality" when it is asked for; both are kept
between runs.
"""

import multiprocessing
import threading
from concurrent.futures import CancelledError, Future
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from demiurge.web.map.landmarks import LEAST_UNITS, choose_landmarks, draw
from demiurge.web.map.layout_files import layout_key, load_layout, save_layout
from demiurge.web.map.points import Projection, project
from files.errors import DemiurgeError, ParameterError, install_command

if TYPE_CHECKING:
    from demiurge.web.workspace import Workspace

POLL_SECONDS = 0.2
NEEDS_UMAP = f"the quality layout needs UMAP; install it with: {install_command('map')}"
NEEDS_UNITS = f"the quality layout needs at least {LEAST_UNITS} units; add audio to the database"
DIED = (
    "its process ended early, most likely for lack of memory; the terminal that runs demiurge"
    " browse tells more"
)


@dataclass(frozen=True)
class State:
    """`state` is absent, running, ready, failed or unavailable; `done` is 0 to 1; `note` says what
    is done, or is wrong.
    """

    state: str
    done: float = 0.0
    note: str = ""


class Layouts:
    """The layouts of a workspace's database, made in the background and told as events "layout".

    Attributes
    ----------
    quality : ndarray or None
        float32, shape (2, n_units), within [-1, 1], when it is ready.
    """

    def __init__(self, workspace: "Workspace") -> None:
        self._workspace = workspace
        self._database = workspace.database
        self._key = layout_key(self._database)
        self._lock = threading.Lock()
        self._projection: Future[Projection] | None = None
        found = load_layout(self._key, "quality", {"xy": self._shape})
        self.quality = found["xy"] if found else None
        self._states = {"pca": State("absent"), "quality": self._first_state()}

    @property
    def _shape(self) -> tuple[int, int]:
        return 2, self._database.n_units

    def _first_state(self) -> State:
        if self.quality is not None:
            return State("ready", 1.0)
        if self._database.n_units < LEAST_UNITS:
            return State("unavailable", note=NEEDS_UNITS)
        return State("absent") if find_spec("umap") else State("unavailable", note=NEEDS_UMAP)

    def states(self) -> dict[str, dict[str, Any]]:
        """The state of each layout by its name, for JSON."""
        return {name: asdict(state) for name, state in self._states.items()}

    def start_pca(self) -> "Future[Projection]":
        """Principal components and clusters, on their way since the first call.

        The result raises a `DatabaseError` if descriptors were damaged on disk.
        """
        with self._lock:
            if self._projection is None:
                self._projection = self._workspace.executor.submit(self._make_pca)
            return self._projection

    def start_quality(self) -> None:
        """Make it, unless it is there or on its way.

        Raises
        ------
        ParameterError
            If it cannot be made here.
        """
        with self._lock:
            state = self._states["quality"]
            if state.state == "unavailable":
                raise ParameterError(state.note)
            if state.state in ("running", "ready"):
                return
            self._states["quality"] = State("running", note="starting")
        threading.Thread(target=self._make_quality, name="quality layout").start()

    def _make_pca(self) -> Projection:
        self._tell("pca", State("running"))
        found = load_layout(self._key, "pca", {"xy": self._shape, "clusters": self._shape[1:]})
        try:
            projection = (
                Projection(**found)
                if found
                else project(self._database, self._workspace.check_open)
            )
        except DemiurgeError as error:
            self._tell("pca", State("failed", note=str(error)))
            raise
        self._tell("pca", State("ready", 1.0))
        if not found:
            save_layout(self._key, "pca", {"xy": projection.xy, "clusters": projection.clusters})
        return projection

    def _make_quality(self) -> None:
        try:
            projection = self.start_pca().result()
            self.quality = self._draw(choose_landmarks(projection.clusters), projection)
        except (DemiurgeError, EOFError, CancelledError, OSError, RuntimeError) as error:
            self._tell("quality", State("failed", note=str(error) or DIED))
            return
        self._tell("quality", State("ready", 1.0))
        save_layout(self._key, "quality", {"xy": self.quality})

    def _draw(self, chosen: np.ndarray, projection: Projection) -> np.ndarray:
        """Have a process draw the layout; it does not outlive this call. EOFError if it dies."""
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe(duplex=False)
        arguments = (
            self._database.path.absolute(),
            self._key,
            chosen,
            projection.xy[:, chosen].T.copy(),
            theirs,
        )
        process = context.Process(target=draw, args=arguments, daemon=True)
        process.start()
        theirs.close()
        try:
            while True:
                self._workspace.check_open()
                if not ours.poll(POLL_SECONDS):
                    continue
                message = ours.recv()
                if isinstance(message, np.ndarray):
                    process.join()
                    return message
                if isinstance(message, DemiurgeError):
                    raise message
                self._tell("quality", State("running", *message))
        except EOFError:
            self._workspace.check_open()  # which ends all processes
            raise
        finally:
            process.terminate()
            process.join()
            ours.close()

    def _tell(self, name: str, state: State) -> None:
        self._states[name] = state
        self._workspace.events.publish("layout", {"name": name, **asdict(state)})
