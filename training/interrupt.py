"""Handle Ctrl-C in training: finish the training step and save first."""

import signal
import threading
from types import FrameType, TracebackType
from typing import Self


class Interrupt:
    """Context in which the first Ctrl-C only sets `asked`; the second raises KeyboardInterrupt.

    It does nothing outside the main thread, or in processes that ignore Ctrl-C or handle it
    themselves.
    """

    def __init__(self) -> None:
        self.asked = False

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self.asked = True
        signal.signal(signal.SIGINT, signal.default_int_handler)

    def __enter__(self) -> Self:
        is_main_thread = threading.current_thread() is threading.main_thread()
        handler = signal.getsignal(signal.SIGINT)
        self._handles = is_main_thread and handler is signal.default_int_handler
        if self._handles:
            signal.signal(signal.SIGINT, self._ask)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._handles:
            signal.signal(signal.SIGINT, signal.default_int_handler)
