"""The callback with which a long task reports progress."""

from collections.abc import Callable

Progress = Callable[[int, int, str], None]
"""Called with (done, total, label); the label names what was done last."""


def no_progress(done: int, total: int, label: str) -> None:
    """Report nothing."""
