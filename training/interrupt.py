"""Ctrl-C while a model is trained: the update that is being made is finished first, so that its
result can be saved.
"""

import signal
import threading
from types import FrameType, TracebackType
from typing import Self


class Interrupt:
    """A block in which the first Ctrl-C only sets `asked`; another one raises KeyboardInterrupt, as
    ever.

    Threads other than the main one, and processes that ignore Ctrl-C or handle it in their own way,
    are left as they are.
    """

    def __init__(self) -> None:
        self.asked = False

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self.asked = True
        signal.signal(signal.SIGINT, signal.default_int_handler)

    def __enter__(self) -> Self:
        main = threading.current_thread() is threading.main_thread()
        self._handles = main and signal.getsignal(signal.SIGINT) is signal.default_int_handler
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
