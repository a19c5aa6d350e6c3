"""How a long task reports progress."""

from collections.abc import Callable

Progress = Callable[[int, int, str], None]
"""Called with how much is done, how much there is in all, and a label: what was done last."""


def no_progress(done: int, total: int, label: str) -> None:
    """Report nothing."""
