"""What all views share: the database, its corpus, its plans' folder, models, an index, and
background work.
"""

import json
import multiprocessing
import os
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
from demiurge.web.events import Events
from demiurge.web.map.layouts import Layouts
from demiurge.web.models import Model, find_models
from demiurge.web.values import printable
from files.errors import DemiurgeError

if TYPE_CHECKING:
    from query.index import UnitIndex
    from query.settings import SearchSettings

BACKGROUND_THREADS = 2
INDEXES = 3  # kept: what sounds similar on the map, and two plans that ask for other units


class ClosedError(DemiurgeError):
    """Background work is given up because the server ends."""


class Workspace:
    """One database and all that is done with it.

    Attributes
    ----------
    database : Database
    root : Path
        The corpus folder.
    folder : Path
        Where plans are kept; it need not be there yet.
    plan_files : list of Path
        Plans that were asked for.
    events : Events
    layouts : Layouts
    executor : ThreadPoolExecutor
        For work in the background, which should call `check_open` now and then.
    decoded : DecodedCache
        Safe to be shared.
    on_close : list of callable
        Called once, in order, when the server ends.
    """

    def __init__(
        self,
        database_path: str | Path,
        *,
        plans: Sequence[str | Path] = (),
        models: Sequence[str | Path] = (),
        folder: str | Path | None = None,
        root: str | Path | None = None,
    ) -> None:
        """Open the database; the rest is opened as it is needed.

        Raises
        ------
        DatabaseError
            If it cannot be opened, or a model is of other settings.
        CheckpointError
            If a model cannot be used.
        """
        self.database = Database(database_path, root=root)
        self.root = self.database.root
        self.folder = (
            Path(folder) if folder else Path(database_path).absolute().with_suffix(".plans")
        )
        self.plan_files = [Path(plan) for plan in plans]
        self._given_models = [Path(model) for model in models]
        self.models()  # a wrong one is refused now
        self.events = Events()
        self.executor = ThreadPoolExecutor(BACKGROUND_THREADS, "background")
        self._indexing = threading.Lock()
        self.decoded = DecodedCache()
        self._indexes: dict[str, UnitIndex] = {}  # the one used last at the end
        self._missing: dict[str, str] | None = None
        self._closing = threading.Event()
        self.layouts = Layouts(self)
        self.on_close: list[Callable[[], None]] = []

    @property
    def name(self) -> str:
        return printable(self.database.path.resolve().name)

    def models(self) -> list[Model]:
        """Forecasters that go with the database: those given, and those beside it and in the
        current folder.

        Raises
        ------
        CheckpointError, DatabaseError
            If a given one cannot be used.
        """
        return find_models(
            self._given_models, [self.database.path.absolute().parent, Path.cwd()], self.database
        )

    def missing_sources(self, *, again: bool = False) -> dict[str, str]:
        """What is wrong with each source that is not there, by path; looked up once, unless
        `again`.
        """
        if self._missing is None or again:
            self._missing = {
                source.path: (
                    f"{source.path} is not in the corpus folder {self.root}; put it back and reload"
                    " the page"
                )
                for source in self.database.sources
                if not self.has(source.path)
            }
        return self._missing

    def has(self, source: str) -> bool:
        """Whether the file of a source is there, and may be looked at."""
        return os.path.isfile(self.root / source)

    def index(self, selection: "SearchSettings") -> "UnitIndex":
        """The units that a selection may play, ready to be searched; the first time takes a while,
        told as events "index".

        Raises
        ------
        DatabaseError, ParameterError
            As `query.index.UnitIndex`.
        """
        facts = (selection.filters.to_dict(), selection.weights, selection.metric, selection.kind)
        key = json.dumps(facts, sort_keys=True)
        with self._indexing:
            index = self._indexes.pop(key, None)
            if index is None:
                index = selection.index(self.database, self._usual_samples, self._tell_indexing)
                index.search(
                    self.database.unit_descriptors(self.database.units.ids[:1]), k=1
                )  # makes what is made late
            self._indexes[key] = index
            for old in list(self._indexes)[:-INDEXES]:
                del self._indexes[old]
            return index

    @cached_property
    def _usual_samples(self) -> np.ndarray:
        """How long a step lasts where all last alike, int64, (1,)."""
        settings = self.database.settings
        return np.array([settings.fixed_samples or settings.hop_length])

    def _tell_indexing(self, done: int, total: int, what: str) -> None:
        self.check_open()
        self.events.publish("index", {"done": done, "total": total, "what": what})

    @cached_property
    def source_numbers(self) -> dict[str, int]:
        """The place of each source in `database.sources`, by its path: pages know a source, and its
        colour, by it.
        """
        return {source.path: number for number, source in enumerate(self.database.sources)}

    def source_of(self, position: int) -> Source:
        """The source of the unit at a position in `database.units`."""
        return self.database.sources[int(self.database.units.source[position])]

    def check_open(self) -> None:
        """Raise `ClosedError` if the server ends: long work calls this as it goes on."""
        if self._closing.is_set():
            raise ClosedError("demiurge browse is ending")

    def give_up(self) -> None:
        """Have long work and the pages' streams end soon."""
        self._closing.set()
        self.events.close()

    def close(self) -> None:
        """End what goes on, and run `on_close`: all of it, whatever goes wrong."""
        self.give_up()
        for (
            process
        ) in multiprocessing.active_children():  # whoever waits for one goes on, to the end
            process.kill()
        with ExitStack() as stack:
            stack.callback(self.executor.shutdown, cancel_futures=True)
            while self.on_close:
                stack.callback(self.on_close.pop())
