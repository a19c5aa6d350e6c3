"""State shared by all views: database, plans, indexes, events and background threads."""

import multiprocessing
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from audio.decoded import DecodedCache
from db.database import Database, Source
from demiurge.reopen import DatabaseFiles, as_database
from demiurge.web.events import Events
from demiurge.web.indexes import Indexes
from demiurge.web.plans import Plans
from files.errors import DemiurgeError
from files.names import printable

if TYPE_CHECKING:
    from demiurge.live.live_session import LiveSession
    from demiurge.plans.voice_units import VoiceUnits
    from playback.plan import Plan
    from query.index import UnitIndex
    from query.settings import SearchSettings

BACKGROUND_THREADS = 2


class ClosedError(DemiurgeError):
    """Background work is cancelled because the server is shutting down."""


class Workspace:
    """One database, and the state of the page that serves it.

    Attributes
    ----------
    database : Database
    roots : Roots
        The corpus folders.
    files : DatabaseFiles
        Where it is, for other processes.
    folder : Path
        For plans, seeds and jobs; it need not exist yet.
    plans : Plans
    model_paths : list of Path
        Models the page was started with.
    events : Events
    executor : ThreadPoolExecutor
        For background work, which should call `check_open` regularly.
    decoded : DecodedCache
        Shared by all readers of sources.
    on_close : list of callable
        Called once each, in order, when the server ends.
    live : LiveSession, optional
        What the page "Live" shows; without it there is no such page.
    """

    def __init__(
        self,
        database: str | Path | Database,
        *,
        plans: Sequence[str | Path] = (),
        models: Sequence[str | Path] = (),
        folder: str | Path | None = None,
        root: str | Path | None = None,
        live: "LiveSession | None" = None,
    ) -> None:
        """Open the database, unless it is open, and read the given plans.

        Raises
        ------
        DatabaseError
            If the database cannot be opened.
        PlanError
            If a plan cannot be read.
        """
        self.database = as_database(database, root)
        self.roots = self.database.roots
        self.files = DatabaseFiles.of(self.database)
        usual_folder = next(iter(self.files.folders.values()))[0].with_suffix(".plans")
        self.folder = Path(folder) if folder else usual_folder
        self.plans = Plans(self.folder, [Path(plan) for plan in plans])
        self.model_paths = [Path(model) for model in models]
        self.events = Events()
        self.executor = ThreadPoolExecutor(BACKGROUND_THREADS, "background")
        self.decoded = DecodedCache()
        self.on_close: list[Callable[[], None]] = []
        self.live = live
        self._indexes = Indexes(self.database, self._publish_indexing)
        self._missing: dict[str, str] | None = None
        self._closing = threading.Event()

    @property
    def name(self) -> str:
        """The file name of the database, or the names of several."""
        return ", ".join(self.database.names) or printable(self.database.path.resolve().name)

    def missing_sources(self, *, again: bool = False) -> dict[str, str]:
        """Return a message for each missing source, by its path.

        The corpus folder is read on the first call, and when `again` is true.
        """
        if self._missing is None or again:
            self.roots.look_up([source.path for source in self.database.sources], again=again)
            self._missing = {
                source.path: (
                    f"{source.path} is not in the corpus folder {self.roots}; put it back and"
                    " reload the page"
                )
                for source in self.database.sources
                if not self.has(source.path)
            }
        return self._missing

    def has(self, source: str) -> bool:
        """Return whether the file of a source exists."""
        return self.roots.stamp_of(source) is not None

    def index(self, search: "SearchSettings") -> "UnitIndex":
        """Return the index of the units that these settings allow.

        The first time takes a while; progress is published as events "index". Raises as
        `Indexes.get`.
        """
        return self._indexes.get(search)

    def voice_units(self, plan: "Plan") -> "VoiceUnits | None":
        """Return the units that the voices of a plan may play, as `Indexes.voices`."""
        return self._indexes.voices(plan)

    def _publish_indexing(self, done: int, total: int, label: str) -> None:
        self.check_open()
        self.events.publish("index", {"done": done, "total": total, "what": label})

    @cached_property
    def source_numbers(self) -> dict[str, int]:
        """The number of each source in its database, by its path; it decides the colour."""
        members = self.database.source_member
        firsts = (
            np.searchsorted(members, members) if self.database.names else np.zeros_like(members)
        )
        numbers = (np.arange(len(members)) - firsts).tolist()
        return {
            source.path: number
            for source, number in zip(self.database.sources, numbers, strict=True)
        }

    def source_of(self, position: int) -> Source:
        """Return the source of the unit at a position in `Database.units`."""
        return self.database.sources[int(self.database.units.source[position])]

    def check_open(self) -> None:
        """Raise a `ClosedError` if the server is shutting down; long work calls this regularly."""
        if self._closing.is_set():
            raise ClosedError("demiurge browse is ending")

    def cancel_work(self) -> None:
        """Ask background work and the pages' event streams to end."""
        self._closing.set()
        self.events.close()

    def close(self) -> None:
        """End all work and run each of `on_close`, even if one of them fails."""
        self.cancel_work()
        for process in multiprocessing.active_children():
            process.kill()  # so that threads that wait for it can end
        with ExitStack() as stack:
            stack.callback(self.executor.shutdown, cancel_futures=True)
            while self.on_close:
                stack.callback(self.on_close.pop())
