"""The callback by which long work says how far it is."""

from collections.abc import Callable

Progress = Callable[[int, int, str], None]
"""Called with (done, total, label)."""


def no_progress(done: int, total: int, label: str) -> None:
    """Report nothing."""
