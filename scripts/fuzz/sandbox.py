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
POLL_SECONDS = 0.01
ADDRESS_BYTES = 8 << 30  # beyond the parent's; what is refused here would be refused by memory
TICKS = os.sysconf("SC_CLK_TCK")
OUTPUTS = ("stdout", "stderr", "noise", "traceback")


@dataclass(frozen=True)
class Limits:
    """Limits of one process.

    `seconds` counts processor time; a process that waits may take `wall_factor` times as long by
    the clock, since other processes may need the processor.
    """

    seconds: float = 10.0
    n_bytes: int = 1 << 30  # of memory, beyond the parent's
    file_bytes: int = 1 << 30  # of a written file
    wall_factor: float = 3.0


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
        _be_child(work, folder, outputs, limits)
    try:
        stopped, status, usage, before = _watch(process, limits)
    finally:
        _end_group(process)
    texts = {name: (outputs / name).read_text(errors="replace") for name in OUTPUTS}
    n_bytes = max(usage.ru_maxrss * 1024 - before, 0)
    return Outcome(
        os.waitstatus_to_exitcode(status), stopped, time.monotonic() - started, n_bytes, **texts
    )


def _watch(process: int, limits: Limits) -> tuple[str, int, resource.struct_rusage, int]:
    """Wait for a process, and kill it beyond a limit.

    Returns
    -------
    stopped, status, usage
    before : int
        Bytes of memory at its beginning.
    """
    started = time.monotonic()
    before = memory_of(process)
    stopped = ""
    while True:
        found, status, usage = os.wait4(process, os.WNOHANG)
        if found:
            return stopped, status, usage, before
        if not stopped:
            elapsed = time.monotonic() - started
            stopped = _beyond(process, limits, elapsed, before)
            if stopped:
                _end_group(process)
        time.sleep(POLL_SECONDS)


def _beyond(process: int, limits: Limits, elapsed: float, before: int) -> str:
    """Return which limit a process has reached, or an empty text."""
    if memory_of(process) - before > limits.n_bytes:
        return "memory"
    if elapsed > limits.seconds * limits.wall_factor or seconds_of(process) > limits.seconds:
        return "time"
    return ""


def memory_of(process: int) -> int:
    """Return the resident bytes of a process, 0 if it has ended."""
    try:
        return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * PAGE
    except (OSError, IndexError):
        return 0


def seconds_of(process: int) -> float:
    """Return the processor time of a process, 0 if it has ended."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICKS


def _end_group(process: int) -> None:
    """Kill a process with all that it started."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process, signal.SIGKILL)


def _be_child(work: Callable[[], int], folder: Path, outputs: Path, limits: Limits) -> None:
    """Run `work`, and end; nothing of the parent's runs here."""
    status = 1
    try:
        os.setsid()
        _limit_process(limits)
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


def _limit_process(limits: Limits) -> None:
    address = int(Path("/proc/self/statm").read_text().split()[0]) * PAGE
    resource.setrlimit(resource.RLIMIT_AS, (address + ADDRESS_BYTES,) * 2)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limits.file_bytes,) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # writing too much is an OSError then
    signal.signal(signal.SIGINT, signal.default_int_handler)


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
