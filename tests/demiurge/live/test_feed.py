"""What a device plays is what the engine knows of, to the bit, whichever comes first."""

import sys
import threading

import numpy as np
import pytest

from demiurge.live.feed import Feed
from demiurge.live.ring import InputRing, OutputRing
from tests.demiurge.live.known_engine import Device, KnownEngine, settled

AHEAD = 500
MOST_ALONE = 3000  # samples that the device plays while the worker is at one block


def assert_known(device: Device, engine: KnownEngine) -> None:
    played = device.played[:, 0]
    np.testing.assert_array_equal(played, device.played[:, -1])
    known = engine.known
    assert device.ring.underruns == 0
    assert len(known) == len(played) + device.ring.ahead
    np.testing.assert_array_equal(played, known[: len(played)])


@pytest.mark.parametrize("random_seed", range(40))
def test_device_that_plays_in_the_midst_of_anything(random_seed):
    rng = np.random.default_rng(random_seed)
    ring = OutputRing(2)
    device = Device(ring)
    is_hasty = rng.random() < 0.5
    has_begun = threading.Event()

    def during(name: str) -> None:
        if not has_begun.is_set():
            return
        for _ in range(rng.poisson(0.4 if is_hasty else 0.05)):
            device.play(int(rng.integers(1, 400)))

    engine = KnownEngine(during=during)
    heard = InputRing(1000, 1)
    feed = Feed(engine, heard, ring, AHEAD)
    feed.top_up()
    has_begun.set()
    for _ in range(60):
        heard.write(np.zeros((10, 1), np.float32))
        device.play(int(rng.integers(1, 300)))
        feed.top_up()
    settled(feed, device)
    assert_known(device, engine)
    assert engine.n_taken_back > 0 or not is_hasty
    assert engine.n_late >= engine.n_taken_back


def test_device_and_worker_in_threads_of_their_own():
    """Neither waits for the other, but where the tail would end, so that they meet everywhere."""
    rng = np.random.default_rng(0)
    ring = OutputRing(1)
    device = Device(ring)
    delays = rng.integers(0, 3000, 1000).tolist()
    engine = KnownEngine(channels=1, during=lambda name: spin(delays.pop() if delays else 0))
    feed = Feed(engine, InputRing(1000, 1), ring, AHEAD)
    feed.top_up()
    over = threading.Event()
    topped_up = threading.Event()

    def play() -> None:
        alone = 0
        for size in rng.integers(1, 200, 3000).tolist():
            device.play(size)
            alone += size
            if alone > MOST_ALONE:
                topped_up.clear()
                topped_up.wait(10)
                alone = 0
        over.set()

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    thread = threading.Thread(target=play)
    thread.start()
    try:
        while not over.is_set():
            feed.top_up()
            topped_up.set()
    finally:
        sys.setswitchinterval(interval)
        thread.join()
    settled(feed, device)
    assert_known(device, engine)
    assert ring.late > 0
    assert engine.n_taken_back > 0


def spin(n: int) -> None:
    for _ in range(n):
        pass


def test_block_that_is_always_late_comes_at_last():
    ring = OutputRing(1)
    device = Device(ring)
    more = [0, 700, 800, 900, 1000, 1100]

    def during(name: str) -> None:
        if name == "made" and more:
            device.play(more.pop(0))

    engine = KnownEngine(channels=1, during=during)
    feed = Feed(engine, InputRing(10, 1), ring, AHEAD)
    feed.top_up()
    feed.top_up()
    device.play(400)
    feed.top_up()
    assert engine.n_taken_back > 1
    settled(feed, device)
    assert_known(device, engine)


def test_device_is_not_kept_from_playing_by_long_work():
    ring = OutputRing(1)
    device = Device(ring)
    blocks = iter([0, 3000, 0])
    engine = KnownEngine(
        channels=1, during=lambda name: device.play(next(blocks, 0)) if name == "made" else None
    )
    feed = Feed(engine, InputRing(10, 1), ring, AHEAD)
    feed.top_up()
    device.play(400)
    feed.top_up()
    assert (engine.n_taken_back, engine.n_late, ring.late) == (1, 1, 1)
    settled(feed, device)
    assert_known(device, engine)
