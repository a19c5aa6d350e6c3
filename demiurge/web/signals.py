"""The signals that end the server: Ctrl-C, kill, and a terminal that is closed."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import uvicorn

FROM_TERMINAL = [
    getattr(signal, name) for name in ("SIGINT", "SIGHUP", "SIGBREAK") if hasattr(signal, name)
]


@contextmanager
def ended_by_signals(server: "uvicorn.Server") -> Iterator[None]:
    """Have each of the signals end the server as if it had come to its end, once, however often
    they come.
    """

    def end(number: int, frame: FrameType | None) -> None:
        server.should_exit = True

    heard = [number for number in (*FROM_TERMINAL, signal.SIGTERM) if not _is_left_running(number)]
    before = {number: signal.signal(number, end) for number in heard}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _is_left_running(number: int) -> bool:
    """Whether nohup wants the server to outlive the terminal."""
    return number != signal.SIGINT and signal.getsignal(number) is signal.SIG_IGN


def leave_to_server() -> None:
    """In a process of the server's: what the terminal says ends the server, which ends this
    process.
    """
    for number in FROM_TERMINAL:
        signal.signal(number, signal.SIG_IGN)
