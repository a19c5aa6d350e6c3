"""One turn of training: a `demiurge synth train-…` at low priority, and the signals it gets."""

import ctypes
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import IO, Any

from files.errors import ParameterError
from scripts.train.models import Model, Place

DEMIURGE = (sys.executable, "-m", "demiurge")
ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
LOWEST = 19  # niceness


class Turns:
    """Runs one training at a time; `stopping` is set by SIGTERM or Ctrl-C.

    The training has a session of its own, so that a signal to this process or to its terminal
    reaches it only in the form in which it is passed on: SIGTERM and SIGINT as one SIGINT, after
    which it saves and ends; SIGTSTP as SIGSTOP, SIGCONT as itself. The folder is locked, also by
    the training, so that no other can write there.

    Raises
    ------
    ParameterError
        If another process trains in the folder.
    """

    def __init__(
        self,
        place: Place,
        command: Sequence[str] = DEMIURGE,
        prepare: Callable[[], None] | None = None,
    ) -> None:
        self.place = place
        self.command = command
        self.prepare = prepare or lower_priority
        self.stopping = False
        self.running: subprocess.Popen[bytes] | None = None
        self.lock = lock(place.root / "lock")
        (place.root / "pid").write_text(f"{os.getpid()}\n")
        # A signal that is handled here is not ignored by the training, as it would be if this
        # process had been started in the background of a script.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._stop)
        signal.signal(signal.SIGTSTP, self._pause)
        signal.signal(signal.SIGCONT, self._go_on)

    def take(self, model: Model, minutes: float) -> dict[str, Any]:
        """Train a model for some minutes; log the turn, and return what was logged."""
        arguments = [*self.command, *arguments_of(self.place, model, minutes)]
        log = self.place.root / "logs" / f"{model.name}.log"
        for folder in (log.parent, self.place.folder(model).parent):
            folder.mkdir(parents=True, exist_ok=True)
        started = datetime.now(UTC)
        began = time.monotonic()
        with log.open("w") as file:
            self.running = subprocess.Popen(
                arguments,
                stdout=file,
                stderr=subprocess.STDOUT,
                env={**os.environ, **ONE_THREAD},
                pass_fds=[self.lock.fileno()],
                start_new_session=True,
                preexec_fn=self.prepare,  # noqa: PLW1509, since there is one thread
            )
            if self.stopping:  # asked for while it started
                self.running.send_signal(signal.SIGINT)
            _, status, usage = os.wait4(self.running.pid, 0)
        self.running.returncode = os.waitstatus_to_exitcode(status)
        turn = {
            "model": model.name,
            "started": started.isoformat(timespec="seconds"),
            "minutes": round((time.monotonic() - began) / 60, 4),
            "cpu_minutes": round((usage.ru_utime + usage.ru_stime) / 60, 4),
            "exit": self.running.returncode,
            "validation": self.place.last_validation(model),
        }
        self.running = None
        self.place.log_turn(turn)
        return turn

    def _stop(self, number: int, frame: FrameType | None) -> None:
        if not self.stopping:
            self._send(signal.SIGINT)
            self._send(signal.SIGCONT)
        self.stopping = True

    def _pause(self, number: int, frame: FrameType | None) -> None:
        self._send(signal.SIGSTOP)
        os.kill(os.getpid(), signal.SIGSTOP)

    def _go_on(self, number: int, frame: FrameType | None) -> None:
        self._send(signal.SIGCONT)

    def _send(self, number: int) -> None:
        if self.running is not None:
            with suppress(ProcessLookupError):
                os.kill(self.running.pid, number)


def lock(path: Path) -> IO[str]:
    """Lock a file until it is closed, by this process and those that inherit it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise ParameterError(
            f"{path}: another process trains here; stop it with kill $(cat {path.parent / 'pid'})"
        ) from error
    return file


def arguments_of(place: Place, model: Model, minutes: float) -> list[str]:
    """Return the arguments of `demiurge` that begin or resume the training of a model."""
    where = [str(place.audio(model)), str(place.folder(model))]
    length = ["--minutes", f"{minutes:g}", "--json"]
    if place.has_begun(model):
        return ["synth", model.command, *where, "--resume", *length]
    start = ["--from", model.start] if model.start else []
    return ["synth", model.command, *where, *model.options, *start, "--force", *length]


def lower_priority() -> None:
    """Give this process what no other wants of the processor, as far as the system lets it.

    Runs in the new process. Linux shares time between sessions first, hence the autogroup.
    """
    os.nice(LOWEST)
    with suppress(OSError, AttributeError):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    with suppress(OSError):
        Path("/proc/self/autogroup").write_text(str(LOWEST))
    with suppress(OSError, AttributeError):  # do not outlive the process that can stop it
        ctypes.CDLL(None).prctl(1, signal.SIGINT)  # PR_SET_PDEATHSIG
