"""Signals that end the server: Ctrl-C, kill, and a terminal that is closed."""

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
    """Shut the server down in an orderly way at each of the signals, even repeated ones."""

    def end(number: int, frame: FrameType | None) -> None:
        server.should_exit = True

    signals = [number for number in (*FROM_TERMINAL, signal.SIGTERM) if not _is_ignored(number)]
    before = {number: signal.signal(number, end) for number in signals}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _is_ignored(number: int) -> bool:
    """Return whether a signal is ignored because the server was started with nohup."""
    return number != signal.SIGINT and signal.getsignal(number) is signal.SIG_IGN


def ignore_terminal_signals() -> None:
    """Ignore Ctrl-C and a closed terminal in a child process, which the server ends itself."""
    for number in FROM_TERMINAL:
        signal.signal(number, signal.SIG_IGN)
