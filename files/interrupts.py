"""Ctrl-C, which a terminal sends to all processes of a command."""

import signal


def ignore_interrupts() -> None:
    """Leave Ctrl-C to the parent: call this first in a child process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
