"""The process that renders, beside the server: what a job asks for, with word of how it goes on.

It is spawned, ignores Ctrl-C and the end of its terminal (the server decides when it ends), and
ends with the server: its pipe closes.
"""

import contextlib
import multiprocessing
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from demiurge.web.signals import ignore_terminal_signals
from files.errors import DemiurgeError

TOLD_SECONDS = 0.1  # between words of progress
END_SECONDS = 5.0  # for the process to be gone
DIED = (
    "the process that makes it died, most likely for lack of memory; ask for less, or close other"
    " programs"
)

Say = Callable[[str, Any], None]


@dataclass(frozen=True)
class RenderTask:
    """What a job asks for.

    It becomes variation-1.wav, variation-2.wav, … in `folder`, each with its plan.

    `model` is None for a mosaic of the seed: then `seconds` does not count, for it lasts as long as
    the seed, and `temperature` is that of its path. Plans tell of the seed by `seed_name`.
    """

    seed: Path
    seed_name: str
    model: Path | None
    database: Path
    root: Path | None
    folder: Path
    seconds: float
    continuity: float
    novelty: float
    temperature: float
    variations: int
    random_seed: int


def variation_path(folder: Path, number: int) -> Path:
    """The WAV of a variation, counted from 1."""
    return folder / f"variation-{number}.wav"


class Worker:
    """The rendering process, started when there is something to do and again when it was killed."""

    def __init__(self) -> None:
        self._process: Any = None
        self._connection: Any = None

    def work(self, task: RenderTask) -> Iterator[tuple[str, Any]]:
        """Do a task: what the process says of it, up to its end.

        Raises
        ------
        DemiurgeError
            If the process dies.
        """
        try:
            if self._process is None or not self._process.is_alive():
                self._start()
            self._connection.send(task)
            while True:
                kind, what = self._connection.recv()
                yield kind, what
                if kind in ("done", "failed"):
                    return
        except (EOFError, OSError):
            raise DemiurgeError(DIED) from None

    def kill(self) -> None:
        """End the process, whatever it does."""
        process = self._process
        self._process = None
        if process is not None:
            process.kill()
            process.join(END_SECONDS)

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        process = context.Process(target=serve_renders, args=(theirs,), name="render", daemon=True)
        process.start()
        self._process = process
        theirs.close()


def serve_renders(connection: Connection) -> None:
    """What the rendering process does: take tasks until the pipe closes, say how each goes on, and
    how it ended.

    What it says are pairs: ("progress", dict), ("made", number of the variation), ("failed",
    message) and ("done", None).
    """
    ignore_terminal_signals()

    def say(kind: str, what: Any) -> None:
        connection.send((kind, what))

    with contextlib.suppress(EOFError, BrokenPipeError):  # the server has ended
        while True:
            task = connection.recv()
            try:
                _render_variations(task, say)
            except DemiurgeError as error:
                say("failed", str(error))
            except MemoryError:
                say("failed", "out of memory; ask for less at a time, or close other programs")
            else:
                say("done", None)


def _render_variations(task: RenderTask, say: Say) -> None:
    """A forecast for each variation; other paths for the same target where there is but one: a
    mosaic's, or the likeliest.
    """
    told = _Teller(task, say)
    if task.model is not None and task.temperature > 0:
        for number in range(1, task.variations + 1):
            told.begin(number)
            _continue(
                task,
                variation_path(task.folder, number),
                told,
                random_seed=task.random_seed + number - 1,
            )
    else:
        told.begin(1)
        together = (
            task.folder / "variation.wav" if task.variations > 1 else variation_path(task.folder, 1)
        )
        make = _rebuild if task.model is None else _continue
        make(task, together, told, variations=task.variations)
    told.look()


def _continue(
    task: RenderTask, out: Path, told: "_Teller", *, random_seed: int = 0, variations: int = 1
) -> None:
    from demiurge.pipeline import render_continuation
    from query.options import PathOptions
    from query.settings import SearchSettings

    assert task.model is not None
    search = SearchSettings(
        path=PathOptions(continuity=task.continuity, novelty=task.novelty), variations=variations
    )
    render_continuation(
        task.seed,
        task.database,
        task.model,
        out,
        seconds=task.seconds,
        temperature=task.temperature,
        random_seed=random_seed,
        search=search,
        root=task.root,
        progress=told,
    )


def _rebuild(task: RenderTask, out: Path, told: "_Teller", *, variations: int) -> None:
    from demiurge.pipeline import render_mosaic
    from query.options import PathOptions
    from query.settings import SearchSettings

    options = PathOptions(
        continuity=task.continuity,
        novelty=task.novelty,
        temperature=task.temperature,
        seed=task.random_seed,
    )
    search = SearchSettings(path=options, variations=variations)
    render_mosaic(task.seed, task.database, out, search=search, root=task.root, progress=told)


class _Teller:
    """Passes progress on, not too often, and says when a variation is complete."""

    def __init__(self, task: RenderTask, say: Say) -> None:
        self._task = task
        self._say = say
        self._made = 0
        self._number = 1
        self._next = 0.0

    def begin(self, number: int) -> None:
        """The work on a variation begins with what tells of no progress."""
        self.look()
        self._number = number
        self._tell("listening to the seed" if self._task.model is None else "forecasting", 0, 0)

    def __call__(self, done: int, total: int, what: str = "writing") -> None:
        if time.monotonic() < self._next:
            return
        self.look()
        if what.startswith("variation-"):
            self._number = self._made + 1
            what = "writing"
        self._tell(what, done, total)

    def look(self) -> None:
        """Say which variations have become complete: a plan is written when its sound is."""
        from demiurge.pipeline import plan_path

        while self._made < self._task.variations:
            path = plan_path(variation_path(self._task.folder, self._made + 1))
            if not path.exists():
                return
            self._made += 1
            self._name_seed(path)
            self._say("made", self._made)

    def _name_seed(self, path: Path) -> None:
        """Have a plan tell of the seed by the name that people know."""
        from playback.plan import Plan

        plan = Plan.load(path)
        what = "target" if self._task.model is None else "seed"
        replace(plan, settings={**plan.settings, what: self._task.seed_name}).save(path)

    def _tell(self, what: str, done: int, total: int) -> None:
        self._next = time.monotonic() + TOLD_SECONDS
        self._say(
            "progress", {"what": what, "done": done, "total": total, "variation": self._number}
        )
