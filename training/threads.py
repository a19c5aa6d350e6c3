"""Number of processor threads that torch uses."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def torch_threads(n_threads: int) -> Iterator[None]:
    """Compute on `n_threads` threads within the block.

    OpenMP threads wait for each other by spinning: on a small machine, two programs that each used
    every core ran over thirty times slower than one after the other. One thread leaves room for
    other programs and always gives the same bytes.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(n_threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
