"""Keys of the terminal, one at a time, without waiting for a line."""

import contextlib
import os
import re
import select
import signal
import sys
import threading
import time
from types import FrameType
from typing import Any, Protocol, Self

POLL_S = 0.02  # Windows cannot be asked to wait for a key
ARROWS = {b"A": "up", b"B": "down", b"C": "right", b"D": "left"}
SEQUENCE = re.compile(
    rb"\x1b(?:O|\[(?P<shift>1;2)?)(?P<arrow>[ABCD])|\x1b\[[0-9;?]*[@-~]|\x1bO.|\x1b[^\[O]"
)
UNFINISHED = re.compile(rb"\x1b(?:O|\[[0-9;?]*)?$")
WINDOWS_ARROWS = {"H": "up", "P": "down", "M": "right", "K": "left"}
WINDOWS_PREFIXES = ("\x00", "\xe0")  # of keys that are no letters
MOST_BYTES = 1024  # of one read


class Keyboard(Protocol):
    """The keys of a terminal; a context manager that leaves it as it was."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *error: object) -> None: ...

    def read(self, timeout_s: float) -> list[str] | None:
        """Return the keys that were pressed, after some time at the latest; None at the end.

        They are letters, or the arrows "up", "down", "left" and "right", "shift-left" and so on.
        """

    def is_ours(self) -> bool:
        """Return whether the terminal is for this program now, not for others."""


def open_keyboard() -> Keyboard | None:
    """Return the keyboard of standard input; None if that is no terminal."""
    if not sys.stdin or not sys.stdin.isatty():
        return None
    return WindowsKeyboard() if sys.platform == "win32" else PosixKeyboard(sys.stdin.fileno())


class PosixKeyboard:
    """A terminal whose keys are read at once and not shown; Ctrl-C and Ctrl-Z work as ever."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._waiting = b""
        self._before: list[Any] = []
        self._is_set = False
        self._continued: Any = None

    def __enter__(self) -> Self:
        import termios

        self._before = termios.tcgetattr(self._descriptor)
        if threading.current_thread() is threading.main_thread():
            self._continued = signal.signal(signal.SIGCONT, self._continue)
        self._set_once()
        return self

    def __exit__(self, *error: object) -> None:
        import termios

        if self._continued is not None:
            signal.signal(signal.SIGCONT, self._continued)
        if self.is_ours():
            with contextlib.suppress(termios.error):  # the terminal was closed
                termios.tcsetattr(self._descriptor, termios.TCSANOW, self._before)

    def is_ours(self) -> bool:
        """A job in the background would be stopped if it read keys or changed the settings."""
        try:
            return os.tcgetpgrp(self._descriptor) == os.getpgrp()
        except OSError:
            return True  # nobody else controls it

    def read(self, timeout_s: float) -> list[str] | None:
        if not self.is_ours():
            time.sleep(timeout_s)
            return []
        self._set_once()
        ready, _, _ = select.select([self._descriptor], [], [], timeout_s)
        if not ready:
            self._waiting = b""  # Esc alone
            return []
        try:
            new = os.read(self._descriptor, MOST_BYTES)
        except OSError:
            new = b""  # the terminal was closed
        if not new:
            return None
        keys, self._waiting = split_keys(self._waiting + new)
        return keys

    def _set_once(self) -> None:
        import termios
        import tty

        if self._is_set or not self.is_ours():
            return
        with contextlib.suppress(termios.error):  # the terminal was closed
            tty.setcbreak(self._descriptor, termios.TCSANOW)
        self._is_set = True

    def _continue(self, number: int, frame: FrameType | None) -> None:
        """After Ctrl-Z and fg, the terminal has the settings of the shell."""
        self._is_set = False


def split_keys(data: bytes) -> tuple[list[str], bytes]:
    """Return the keys that a terminal sent, and the beginning of one that has not yet ended.

    Keys without a name here, such as F1, are left out.
    """
    waiting = b""
    if unfinished := UNFINISHED.search(data):
        waiting = unfinished[0]
        data = data[: unfinished.start()]
    keys: list[str] = []
    at = 0
    for found in SEQUENCE.finditer(data):
        keys.extend(data[at : found.start()].decode(errors="ignore"))
        at = found.end()
        if arrow := found["arrow"]:
            keys.append(("shift-" if found["shift"] else "") + ARROWS[arrow])
    keys.extend(data[at:].decode(errors="ignore"))
    return keys, waiting


class WindowsKeyboard:
    """The keys of a Windows console, which needs no settings."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def is_ours(self) -> bool:
        return True

    def read(self, timeout_s: float) -> list[str] | None:
        import msvcrt

        console: Any = msvcrt  # mypy knows its functions on Windows only
        end_s = time.monotonic() + timeout_s
        keys: list[str] = []
        while not keys and time.monotonic() < end_s:
            while console.kbhit():
                keys.append(_windows_key(console))
            if not keys:
                time.sleep(POLL_S)
        return [key for key in keys if key]


def _windows_key(console: Any) -> str:
    letter = console.getwch()
    if letter in WINDOWS_PREFIXES:
        return WINDOWS_ARROWS.get(console.getwch(), "")
    return letter
