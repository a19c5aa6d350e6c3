"""Batches are prepared one ahead, in their order."""

import threading
from collections.abc import Iterator

import pytest

from training.prefetch import prefetched


def test_all_items_come_in_order() -> None:
    assert list(prefetched(iter([3, None, 1]))) == [3, None, 1]
    assert list(prefetched(iter([]))) == []


def test_one_item_is_taken_ahead_by_another_thread() -> None:
    taken: list[int] = []
    threads = set()
    second = threading.Event()

    def items() -> Iterator[int]:
        for number in range(5):
            taken.append(number)
            threads.add(threading.current_thread())
            if number == 1:
                second.set()
            yield number

    found = prefetched(items())
    assert next(found) == 0
    assert second.wait(10)
    found.close()
    assert taken == [0, 1]
    assert threading.current_thread() not in threads


def test_an_error_comes_when_it_is_that_item_s_turn() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise OSError("the disk is gone")

    found = prefetched(items())
    assert next(found) == 1
    with pytest.raises(OSError, match="the disk is gone"):
        next(found)
