"""Run a command in a child process, kill it at a random moment, and see what it leaves."""

import itertools
import multiprocessing
import os
import random
import resource
import shutil
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.context import ForkServerContext
from pathlib import Path

from files.errors import DemiurgeError
from files.temporary import NAME

# of each command; DEMIURGE_KILLS gives another number
KILLS = int(os.environ.get("DEMIURGE_KILLS", "1"))
PRELOADED = [
    "demiurge.cli",
    "demiurge.pipeline",
    "demiurge.web.plans",
    "db.build",
    "db.interchange",
    "matplotlib.pyplot",
    "query.index",
    "sequencer.train",
    "synth.generate",
    "synth.resynth",
    "synth.train_codec",
    "synth.train_flow",
    "synth.train_vocoder",
    "tests.kills",
]
LATEST = 1.1  # of the time that a command takes undisturbed

Content = dict[str, bytes]


def fork_server() -> ForkServerContext:
    """Return the context whose processes start in milliseconds, with everything imported.

    There is one server in a process, and it imports what the first to use it asks for.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    return context


def run_in_child(
    action: Callable[..., object], arguments: tuple, log: Path, most_bytes: int | None = None
) -> None:
    """Carry out an action in a new process group; what it prints goes into `log`.

    No file can grow beyond `most_bytes`, as if the disk were full.
    """
    os.setsid()
    if most_bytes is not None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))
    with open(log, "wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115
    try:
        action(*arguments)
    except DemiurgeError as error:
        print(f"Error: {error}", flush=True)
        os._exit(1)
    sys.stdout.flush()


def demiurge(*words: object) -> None:
    """Run a command in this process."""
    from demiurge.cli import main

    try:
        main([str(word) for word in words])
    except SystemExit as end:
        sys.stdout.flush()
        os._exit(end.code or 0)


@dataclass(frozen=True)
class Case:
    """A command that writes into a folder.

    Attributes
    ----------
    action : callable
        Carries out the command in the folder it is given, in a child process.
    content : callable
        Returns what the folder holds that must be the same after every undisturbed run.
    check : callable
        Takes the folder after a kill, and its content before and after an undisturbed run; raises
        an `AssertionError` if something that was there is lost, or a part of an output is there.
    start : Path, optional
        A folder that the command starts from; empty by default.
    """

    action: Callable[[Path], None]
    content: Callable[[Path], Content]
    check: Callable[[Path, Content, Content], None]
    start: Path | None = None


def files_in(folder: Path, *ignored: str) -> Content:
    """Return the bytes of all files below a folder, by relative name."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix not in ignored
    }


def old_or_new(folder: Path, before: Content, after: Content, *ignored: str) -> None:
    """Assert that each output is as before or as after a whole run, and nothing else is there."""
    found = files_in(folder, *ignored)
    for name, content in found.items():
        if not is_temporary(name):
            assert content in (before.get(name), after.get(name)), name
    assert before.keys() <= found.keys()


def is_temporary(name: str) -> bool:
    return any(NAME.fullmatch(part) for part in name.split("/"))


@dataclass
class Killed:
    """What came of killing a command several times."""

    kills: int = 0
    ended: int = 0  # before they could be killed
    left_temporary: int = 0  # kills that left a temporary file for the next run
    seconds: float = 0.0  # of an undisturbed run


class Killing:
    """Runs a case undisturbed, then kills it again and again."""

    def __init__(self, case: Case, place: Path, *, random_seed: int) -> None:
        self.case = case
        self.place = place
        self.moments = random.Random(random_seed)
        self.context = fork_server()
        self.numbers = itertools.count()

    def kill(self, n_kills: int) -> Killed:
        """Kill the command so many times, each time in a folder as at the start."""
        undisturbed = self._new_folder()
        before = self.case.content(undisturbed)
        self._finish(undisturbed)  # warms caches
        again = self._new_folder()
        done = Killed(seconds=self._finish(again))
        after = self.case.content(again)
        assert self.case.content(undisturbed) == after, "two undisturbed runs differ"
        while done.kills < n_kills:
            folder = self._new_folder()
            if not self._kill(folder, self.moments.uniform(0, LATEST * done.seconds)):
                done.ended += 1
                assert done.ended < 10 * (n_kills + 1), "it always ends before it is killed"
                continue
            done.kills += 1
            left = any(map(is_temporary, files_in(folder)))
            done.left_temporary += left
            self.case.check(folder, before, after)
            if left or self.case.content(folder) != after:  # it may just have ended
                self._finish(folder)
            assert self.case.content(folder) == after
            assert not any(map(is_temporary, files_in(folder))), "temporary files stay"
            shutil.rmtree(folder)
        return done

    def fill(
        self,
        folder: Path,
        *,
        most_bytes: int | None = None,
        make_space: Callable[[], object] = lambda: None,
    ) -> int:
        """Run the command in a folder where not everything can be written, then with space.

        Return its exit status the first time.
        """
        reference = self._new_folder()
        before = self.case.content(reference)
        self._finish(reference)
        after = self.case.content(reference)
        if self.case.start:
            shutil.copytree(self.case.start, folder, dirs_exist_ok=True)
        process = self._start(folder, most_bytes)
        process.join()
        told = (self.place / "log").read_text()
        assert process.exitcode in (0, 1, 2), told
        assert "Traceback" not in told
        assert told.count("Error: ") == bool(process.exitcode), told
        self.case.check(folder, before, after)
        make_space()
        if process.exitcode:
            self._finish(folder)
        assert self.case.content(folder) == after
        assert list(filter(is_temporary, files_in(folder))) == []
        return process.exitcode

    def _new_folder(self) -> Path:
        folder = self.place / str(next(self.numbers))
        if self.case.start:
            shutil.copytree(self.case.start, folder)
        else:
            folder.mkdir()
        return folder

    def _start(
        self, folder: Path, most_bytes: int | None = None
    ) -> multiprocessing.process.BaseProcess:
        given = (self.case.action, (folder,), self.place / "log", most_bytes)
        process = self.context.Process(target=run_in_child, args=given)
        process.start()
        return process

    def _finish(self, folder: Path) -> float:
        started = time.perf_counter()
        process = self._start(folder)
        process.join()
        assert process.exitcode == 0, (self.place / "log").read_text()
        return time.perf_counter() - started

    def _kill(self, folder: Path, seconds: float) -> bool:
        """Start the command, and kill it and its children after a time; False if it has ended."""
        process = self._start(folder)
        process.join(seconds)
        if not process.is_alive():
            assert process.exitcode == 0, (self.place / "log").read_text()
            return False
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:  # it has not yet made its group
            os.kill(process.pid, signal.SIGKILL)
        process.join()
        return process.exitcode == -signal.SIGKILL
