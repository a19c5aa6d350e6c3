"""A process beside the server, which carries out one task after another.

It is spawned, and ends when its pipe closes, so it never outlives the server. It ignores Ctrl-C and
a closed terminal, since the server decides when it ends.
"""

import contextlib
import multiprocessing
from collections.abc import Callable, Iterator
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from demiurge.web.make.messages import (
    Failed,
    Finished,
    Message,
    Progressed,
    RenderTask,
    VariationFinished,
    variation_path,
)
from demiurge.web.signals import ignore_terminal_signals
from demiurge.web.throttle import Throttle
from files.errors import DemiurgeError
from files.system import SYSTEM_ERRORS, error_message

if TYPE_CHECKING:
    from demiurge.results import RenderResult

PROGRESS_SECONDS = 0.1  # between reports of progress
END_SECONDS = 5.0  # to wait for the process to end
DIED = (
    "the process that makes it died, most likely for lack of memory; ask for less, or close other"
    " programs"
)

Send = Callable[[Message], None]
CarryOut = Callable[[Any, Send], None]


class Worker:
    """A process that carries out tasks, started when needed, restarted after it was killed.

    By default it renders. `carry_out` is a function of a module, which the process imports.
    """

    def __init__(self, carry_out: CarryOut | None = None) -> None:
        self._carry_out = carry_out or render_variations
        self._process: Any = None
        self._connection: Any = None

    def work(self, task: Any) -> Iterator[Message]:
        """Carry out a task; yield its messages, up to `Finished` or `Failed`.

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
                message = self._connection.recv()
                yield message
                if isinstance(message, Finished | Failed):
                    return
        except (EOFError, OSError):
            self.kill()  # it may not have ended yet; the next task needs a new process
            raise DemiurgeError(DIED) from None

    def kill(self) -> None:
        """End the process at once."""
        process = self._process
        self._process = None
        if process is not None:
            process.kill()
            process.join(END_SECONDS)

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        arguments = (theirs, self._carry_out)
        process = context.Process(target=serve_tasks, args=arguments, name="worker", daemon=True)
        process.start()
        self._process = process
        theirs.close()


def serve_tasks(connection: Connection, carry_out: CarryOut) -> None:
    """Run the process: carry out tasks until the pipe closes."""
    ignore_terminal_signals()
    with contextlib.suppress(EOFError, BrokenPipeError):  # the server has ended
        while True:
            task = connection.recv()
            connection.send(_last_message(carry_out, task, connection.send))


def _last_message(carry_out: CarryOut, task: Any, send: Send) -> Message:
    """Carry out a task and return its last message."""
    try:
        carry_out(task, send)
    except (DemiurgeError, *SYSTEM_ERRORS) as error:
        return Failed(error_message(error))
    return Finished()


def render_variations(task: RenderTask, send: Send, seconds: float = PROGRESS_SECONDS) -> None:
    """Render the variations of a task.

    Each is another forecast. If there is only one target (a mosaic, or the likeliest forecast),
    each is another path for it.

    Parameters
    ----------
    seconds : float
        Progress is sent at most this often.
    """
    reporter = Reporter(task, send, seconds)
    if task.model is not None and task.temperature > 0:
        for number in range(1, task.variations + 1):
            random_seed = task.random_seed + number - 1
            out = variation_path(task.folder, number)
            reporter.begin()
            _continue(task, out, reporter, random_seed=random_seed)
        return
    out = task.folder / "variation.wav"
    if task.variations == 1:
        out = variation_path(task.folder, 1)
    make = _rebuild if task.model is None else _continue
    reporter.begin()
    make(task, out, reporter, variations=task.variations)


def _continue(
    task: RenderTask,
    out: Path,
    reporter: "Reporter",
    *,
    random_seed: int = 0,
    variations: int = 1,
) -> None:
    from demiurge.pipeline import render_continuation
    from query.options import CONTINUATION_PATH
    from query.settings import SearchSettings
    from sequencer.sampling import SamplingOptions

    assert task.model is not None
    path = replace(CONTINUATION_PATH, continuity=task.continuity, novelty=task.novelty)
    render_continuation(
        task.seed,
        task.databases.open(),
        task.model,
        out,
        seconds=task.seconds,
        sampling=SamplingOptions(temperature=task.temperature, random_seed=random_seed),
        search=SearchSettings(path=path, variations=variations),
        seed_name=task.seed_name,
        progress=reporter.progress,
        on_result=reporter.finish,
    )


def _rebuild(task: RenderTask, out: Path, reporter: "Reporter", *, variations: int) -> None:
    from demiurge.domains import Domains
    from demiurge.pipeline import render_mosaic
    from query.names import OWN_NOVELTY
    from query.options import PathOptions
    from query.settings import SearchSettings
    from query.voices.options import VoiceOptions

    path = PathOptions(
        continuity=task.continuity,
        novelty=task.novelty,
        temperature=task.temperature,
        random_seed=task.random_seed,
    )
    render_mosaic(
        task.seed,
        task.databases.open(),
        out,
        search=SearchSettings(
            path=path,
            variations=variations,
            voices=VoiceOptions(number=task.voices, transpose=task.transpose),
        ),
        domains=Domains(novelty=None if task.novelty else OWN_NOVELTY),
        target_name=task.seed_name,
        progress=reporter.progress,
        on_result=reporter.finish,
    )


class Reporter:
    """Sends the progress of a task, not too often, and each variation that is finished."""

    def __init__(self, task: RenderTask, send: Send, seconds: float) -> None:
        self._send = send
        self._throttle = Throttle(seconds)
        self._n_finished = 0
        # files are labelled by their names, which the page need not show
        numbers = range(1, task.variations + 1)
        self._labels = {variation_path(task.folder, n).name: "writing" for n in numbers}

    def begin(self) -> None:
        """Report the first stage of the next variation, which has no progress of its own."""
        self._throttle.restart()
        self._send(Progressed(self._n_finished + 1, "analysing the seed"))

    def progress(self, done: int, total: int, label: str) -> None:
        if self._throttle.is_due():
            label = self._labels.get(label, label)
            self._send(Progressed(self._n_finished + 1, label, done, total))

    def finish(self, result: "RenderResult") -> None:
        self._n_finished += 1
        self._send(VariationFinished(self._n_finished, result.plan_file))
