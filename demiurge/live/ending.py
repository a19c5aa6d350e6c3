"""End a session in an orderly way at Ctrl-C, kill, and a terminal that is closed."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from demiurge.live.controls import Controls

NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")


@contextmanager
def ended_by_signals(controls: Controls) -> Iterator[None]:
    """Tell a session to stop at each of the signals; at a second one, end at once."""
    before: dict[int, Any] = {}

    def end(number: int, frame: FrameType | None) -> None:
        controls.command("stop")
        signal.signal(number, before[number])

    for name in NAMES:  # not every system has all
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            before[number] = signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
