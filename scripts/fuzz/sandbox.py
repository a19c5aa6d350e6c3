"""Run a function in a forked process with limits of time, memory and file size.

The parent has imported everything, so that a process is ready within milliseconds. It must have
one thread only: a fork copies no other.
"""

import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PAGE = resource.getpagesize()
POLL_SECONDS = 0.02
ADDRESS_BYTES = 8 << 30  # beyond the parent's; what is refused here would be refused by memory
FILE_BYTES = 1 << 30
TICKS = os.sysconf("SC_CLK_TCK")
OUTPUTS = ("stdout", "stderr", "noise", "traceback")


@dataclass(frozen=True)
class Limits:
    """Limits of one process with all that it starts.

    `seconds` are those in which it computes, and those in which it waits for something else than
    the processor; so a busy machine makes no difference.
    """

    seconds: float = 10.0
    n_bytes: int = 1 << 30  # of memory, beyond the parent's


@dataclass(frozen=True)
class Outcome:
    """What a process did.

    Attributes
    ----------
    status : int
        Exit status; negative for the signal that ended it.
    stopped : str
        "time" or "memory" if a limit was reached.
    n_bytes : int
        Most memory beyond the parent's.
    noise : str
        What was written to file descriptor 2 past Python.
    traceback : str
        Of an exception that reached the top.
    """

    status: int
    stopped: str
    seconds: float
    n_bytes: int
    stdout: str
    stderr: str
    noise: str
    traceback: str


def run_forked(
    work: Callable[[], int], folder: Path, outputs: Path, limits: Limits | None = None
) -> Outcome:
    """Run `work` in `folder`, in a process of its own; keep what it prints in `outputs`.

    Returns
    -------
    Outcome
        Its status is what `work` returns.
    """
    limits = limits or Limits()
    outputs.mkdir(parents=True, exist_ok=True)
    for name in OUTPUTS:
        (outputs / name).write_bytes(b"")
    started = time.monotonic()
    process = os.fork()
    if not process:
        _be_child(work, folder, outputs)
    watch = Watch(process, limits)
    try:
        status = watch.wait()
    finally:
        _end_group(process)
    texts = {name: (outputs / name).read_text(errors="replace") for name in OUTPUTS}
    elapsed = time.monotonic() - started
    return Outcome(
        os.waitstatus_to_exitcode(status), watch.stopped, elapsed, watch.n_bytes, **texts
    )


class Watch:
    """Waits for a process, and kills it beyond a limit.

    Attributes
    ----------
    stopped : str
        The limit that was reached.
    n_bytes : int
        Most memory beyond that of its beginning.
    """

    def __init__(self, process: int, limits: Limits) -> None:
        self.process = process
        self.limits = limits
        self.stopped = ""
        self.n_bytes = 0
        self._before = memory_of(process)
        self._waited = 0.0  # seconds
        self._polled = time.monotonic()

    def wait(self) -> int:
        """Return the status that the system has of it."""
        while True:
            found, status, usage = os.wait4(self.process, os.WNOHANG)
            if found:
                self.n_bytes = max(self.n_bytes, usage.ru_maxrss * 1024 - self._before)
                return status
            if not self.stopped:
                self.stopped = self._poll()
                if self.stopped:
                    _end_group(self.process)
            time.sleep(POLL_SECONDS)

    def _poll(self) -> str:
        """Return which limit is reached, or an empty text."""
        now = time.monotonic()
        family = family_of(self.process)
        memory = sum(map(memory_of, family)) - self._before
        self.n_bytes = max(self.n_bytes, memory)
        if not any(map(is_running, family)):
            self._waited += now - self._polled
        self._polled = now
        if memory > self.limits.n_bytes:
            return "memory"
        computed = sum(map(seconds_of, family))
        return "time" if max(computed, self._waited) > self.limits.seconds else ""


def family_of(process: int) -> list[int]:
    """Return a process and all that it has started."""
    family = [process]
    for one in family:
        for listed in Path(f"/proc/{one}/task").glob("*/children"):
            with suppress(OSError):
                family += map(int, listed.read_text().split())
    return family


def fields_of(path: Path) -> list[str]:
    """Return the fields of a stat file from the state on; none if the process has ended."""
    try:
        return path.read_text().rpartition(")")[2].split()
    except OSError:
        return []


def is_running(process: int) -> bool:
    """Return whether a thread of a process has the processor, waits for it, or for the disk."""
    states = (fields_of(path) for path in Path(f"/proc/{process}/task").glob("*/stat"))
    return any(fields and fields[0] in "RD" for fields in states)


def memory_of(process: int) -> int:
    """Return the resident bytes of a process, 0 if it has ended."""
    try:
        return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * PAGE
    except (OSError, IndexError):
        return 0


def seconds_of(process: int) -> float:
    """Return the processor time of a process, 0 if it has ended."""
    fields = fields_of(Path(f"/proc/{process}/stat"))
    return (int(fields[11]) + int(fields[12])) / TICKS if fields else 0.0


def _end_group(process: int) -> None:
    """Kill a process with all that it started."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process, signal.SIGKILL)


def _be_child(work: Callable[[], int], folder: Path, outputs: Path) -> None:
    """Run `work`, and end; nothing of the parent's runs here."""
    status = 1
    try:
        os.setsid()
        _limit_process()
        _redirect(outputs)
        os.chdir(folder)
        status = work()
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else 1
    except BaseException:  # whatever it is, it is what this process is here to find
        (outputs / "traceback").write_text(traceback.format_exc(), errors="replace")
    finally:
        with suppress(BaseException):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status & 0xFF)


def _limit_process() -> None:
    address = int(Path("/proc/self/statm").read_text().split()[0]) * PAGE
    resource.setrlimit(resource.RLIMIT_AS, (address + ADDRESS_BYTES,) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGINT, signal.default_int_handler)


def limit_files() -> None:
    """Limit the files that this process writes; a longer one is an OSError."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_BYTES, FILE_BYTES))


def _redirect(outputs: Path) -> None:
    """Send what Python prints to two files, and what C libraries print to a third."""
    flags = os.O_WRONLY | os.O_APPEND
    null = os.open("/dev/null", os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(os.open(outputs / "stdout", flags), 1)
    os.dup2(os.open(outputs / "noise", flags), 2)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = open(outputs / "stderr", "a", encoding="utf-8", buffering=1)  # noqa: SIM115
