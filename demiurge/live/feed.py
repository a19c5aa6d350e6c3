"""How the worker of a session gets an engine's samples to a device in time.

    top_up:  tell the engine what ran on ──► produce ──► tail ──► write
                          ▲                                        │ refused: the device took
                          └──────────── take back ◄────────────────┘ from the tail meanwhile

What the device plays is always what the engine knows of, since a block that was made to follow
other samples than those that were played is made anew.
"""

from typing import Protocol

import numpy as np

from audio.channels import fit_channels
from demiurge.live.ring import InputRing, OutputRing

TAIL_SECONDS = 0.2  # that the last unit can run on while the worker is held up


class Counts(Protocol):
    """Where an engine keeps how well it was heard."""

    underruns: int


class Playable(Protocol):
    """What a session needs of an engine; its methods are called by one thread at a time."""

    sample_rate: int
    channels: int
    ended: bool

    @property
    def meters(self) -> Counts: ...

    def set_input(self, sample_rate: int) -> None:
        """Expect an input at this rate."""

    def hear(self, block: np.ndarray) -> None:
        """Take the next samples of the input, float32, (n, any channels)."""

    def produce(self, n_samples: int) -> np.ndarray:
        """Return the next samples of the output, float32, (n_samples, channels)."""

    def tail(self, n_samples: int) -> np.ndarray:
        """Return what plays after them if nothing else is chosen; changes nothing."""

    def take_back(self) -> None:
        """Forget the last call of `produce`: its samples came too late and were not played."""

    def ran_on(self, n_samples: int) -> None:
        """Take note that so many samples of the tail are played; the next ones follow them.

        The tail is the one before the last `produce` if that was taken back.
        """


class Feed:
    """Keeps the ring of an output filled by an engine; the work of the worker's thread."""

    def __init__(
        self, engine: Playable, heard: InputRing, ring: OutputRing, ahead_samples: int
    ) -> None:
        self._engine = engine
        self._heard = heard
        self._ring = ring
        self._ahead = ahead_samples
        self._tail_samples = round(TAIL_SECONDS * engine.sample_rate)
        self.is_stopped = False  # by another thread: make nothing more
        self._nothing = np.empty((0, ring.channels), np.float32)

    def top_up(self) -> None:
        """Let the engine hear what waits, and produce what is missing."""
        block = self._heard.read()
        if len(block):
            self._engine.hear(block)
        missing = self._ahead - self._ring.ahead
        if missing <= 0:
            return
        self._run_on(0)
        made = self._make(missing)
        least = missing
        while not self._ring.write(*made):  # the device could not wait for it
            self._engine.take_back()
            if self.is_stopped or self._engine.ended:
                return
            self._run_on(least)
            least = min(2 * least, self._tail_samples // 2)  # so that it comes in time at last
            made = self._make(missing)

    def finish(self) -> None:
        """End the sound behind what was produced."""
        ran_on = self._ring.finish()
        if ran_on:
            self._engine.ran_on(ran_on)

    def _run_on(self, least: int) -> None:
        ran_on = self._ring.run_on(least)
        if ran_on:
            self._engine.ran_on(ran_on)
            self._ring.write(self._nothing, self._tail())  # the same, but longer again

    def _make(self, n_samples: int) -> tuple[np.ndarray, np.ndarray]:
        block = self._engine.produce(n_samples)
        return fit_channels(block, self._ring.channels), self._tail()

    def _tail(self) -> np.ndarray:
        return fit_channels(self._engine.tail(self._tail_samples), self._ring.channels)
