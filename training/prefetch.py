"""Prepare the next batch while the network learns from this one."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

T = TypeVar("T")


def prefetched(items: Iterator[T]) -> Iterator[T]:
    """Yield the items, each taken by another thread while the one before is in use.

    The thread computes on one core, so that it does not hold up the training. An error in taking an
    item is raised when its turn comes.
    """
    end = object()
    with ThreadPoolExecutor(1, initializer=torch.set_num_threads, initargs=(1,)) as thread:
        coming = thread.submit(next, items, end)
        while (item := coming.result()) is not end:
            coming = thread.submit(next, items, end)
            yield item  # type: ignore[misc]
