"""An engine whose every sample tells where it comes from, and a device that keeps what it plays."""

from types import SimpleNamespace

import numpy as np

from demiurge.live.feed import Feed
from demiurge.live.ring import OutputRing


class KnownEngine:
    """Gives whole numbers, no two alike, and keeps `known`: what a device must have played.

    A produced sample is the number of samples produced before it; one of a tail is less than 0.
    """

    def __init__(self, sample_rate=44100, channels=2, most=10**9, during=lambda name: None):
        self.sample_rate = sample_rate
        self.channels = channels
        self.ended = False
        self.meters = SimpleNamespace(underruns=0)
        self.heard = []
        self.input_rate = None
        self.n_late = 0
        self.n_taken_back = 0
        self._most = most
        self._during = during
        self._blocks = []
        self._n_made = 0
        self._tail_at = -1
        self._before = None

    @property
    def known(self) -> np.ndarray:
        return np.concatenate([np.empty(0), *self._blocks])

    def set_input(self, sample_rate):
        self.input_rate = sample_rate

    def hear(self, block):
        self._during("hear")
        self.heard.append(block.copy())

    def produce(self, n_samples):
        self._during("produce")
        self._before = len(self._blocks), self._tail_at
        block = np.arange(self._n_made, self._n_made + n_samples)
        self._n_made += n_samples
        self._tail_at = -1 - 1000 * (self._n_made % 10000)
        self._blocks.append(block)
        self.ended = len(self.known) >= self._most
        self._during("made")
        return self._shaped(block)

    def tail(self, n_samples):
        self._during("tail")
        return self._shaped(self._tail(n_samples))

    def take_back(self):
        self._during("take back")
        assert self._before is not None, "there is nothing to take back"
        n_blocks, self._tail_at = self._before
        del self._blocks[n_blocks:]
        self._before = None
        self.n_taken_back += 1

    def ran_on(self, n_samples):
        self._during("ran on")
        assert n_samples > 0
        self._blocks.append(self._tail(n_samples))
        self._tail_at -= n_samples
        self._before = None
        self.n_late += 1

    def _tail(self, n_samples):
        return self._tail_at - np.arange(n_samples)

    def _shaped(self, block):
        return np.repeat(block[:, np.newaxis], self.channels, axis=1).astype(np.float32)


class Device:
    """Takes from a ring, in blocks of any size, and keeps what it got."""

    def __init__(self, ring: OutputRing) -> None:
        self.ring = ring
        self.blocks = [np.empty((0, ring.channels), np.float32)]

    def play(self, n_samples: int) -> None:
        out = np.full((n_samples, self.ring.channels), np.nan, np.float32)
        self.ring.fill(out)
        self.blocks.append(out)

    @property
    def played(self) -> np.ndarray:
        """All of it, (n_samples, channels)."""
        return np.concatenate(self.blocks)


def settled(feed: Feed, device: Device) -> None:
    """Let the engine hear of all that was played."""
    while device.ring.ahead:
        device.play(min(device.ring.ahead, 300))
    feed.top_up()
