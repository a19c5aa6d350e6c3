"""The terminal of a session: keys in, status out, in one thread.

keys ──► KeyHandler ──► Controls          Status ──► Display
"""

import sys
import threading
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from typing import Self

from demiurge.live.controls import Controls
from demiurge.live.display import Display
from demiurge.live.keyboard import Keyboard, open_keyboard
from demiurge.live.keys import KeyHandler
from demiurge.live.status import Status
from files.names import printable

DRAW_S = 0.1  # between two looks at keys and status
JOIN_S = 1.0  # a terminal that is stopped by Ctrl-S keeps its thread
MOST_LINES = 64  # told and not yet shown


class Terminal:
    """Reads keys and shows the status, if there is a terminal, while its context lasts.

    Keys are read if standard input is a terminal; the status is shown if standard error is one.
    The terminal is left as it was, also after an exception; SIGTERM has to raise one.

    Parameters
    ----------
    controls : Controls
    status : callable () -> Status
    learn : callable (name), optional
        See `KeyHandler`.
    """

    def __init__(
        self,
        controls: Controls,
        status: Callable[[], Status],
        *,
        learn: Callable[[str], None] | None = None,
    ) -> None:
        self._controls = controls
        self._status = status
        self._lines: deque[str] = deque(maxlen=MOST_LINES)
        self._handler = KeyHandler(controls, tell=self.tell, learn=learn)
        self._problem = ""  # told already
        self._ended = threading.Event()
        self._keyboard: Keyboard | None = None
        self._display: Display | None = None

    def tell(self, text: str) -> None:
        """Show a line, from any thread and without waiting; on standard error if no terminal."""
        self._lines.append(text)

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._keyboard = open_keyboard()
            if self._keyboard:
                stack.enter_context(self._keyboard)
            if sys.stderr and sys.stderr.isatty():
                self._display = Display(sys.stderr)
            self._thread = threading.Thread(target=self._run, name="terminal", daemon=True)
            self._thread.start()
            stack.callback(self._end)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def _end(self) -> None:
        self._ended.set()
        self._thread.join(JOIN_S)

    def _run(self) -> None:
        """Obey keys and show lines and status, until the end."""
        reads = self._keyboard is not None
        while not self._ended.is_set():
            keys = self._keyboard.read(DRAW_S) if self._keyboard and reads else None
            if keys is None:
                reads = False  # there are no more keys
                self._ended.wait(DRAW_S)
            for key in keys or ():
                self._handler.press(key)
            self._show()
        self._show()
        if self._display:
            self._display.close()

    def _show(self) -> None:
        status = self._status()
        if status.problem and status.problem != self._problem:
            self.tell(status.problem)
        self._problem = status.problem
        try:
            while self._lines:
                self._show_line(self._lines.popleft())
            if self._display and (self._keyboard is None or self._keyboard.is_ours()):
                self._display.draw(status, self._controls.knobs, self._handler.selected)
        except OSError:
            self._display = None  # the terminal was closed; the session goes on

    def _show_line(self, text: str) -> None:
        if self._display:
            self._display.tell(text)
        elif sys.stderr:
            print(printable(text), file=sys.stderr, flush=True)
